# ruff: noqa: RUF001  Turkish has an i without a dot
"""Given and family names by culture, in their own scripts. The people who get them are invented."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from random import Random

_LONGEST_SLUG = 40


@dataclass(frozen=True, slots=True)
class NamePool:
    """Given and family names that go together. A culture whose family names differ by gender has two pools."""

    given: tuple[str, ...]
    family: tuple[str, ...]


def _pool(given: str, family: str) -> NamePool:
    return NamePool(tuple(given.split()), tuple(name.replace("_", " ") for name in family.split()))


_ENGLISH = _pool(
    "Alice Benjamin Charlotte Daniel Eleanor Frederick Grace Henry Isobel James Katherine Lewis Naomi Oliver Rhys",
    "Ashworth Blackwell Carmichael Davies Ellison Fairbanks Goodwin Hargreaves Jennings Kirkland Lockwood Merriweather",
)
_FRENCH = _pool(
    "Aurélie Benoît Célestine Étienne François Geneviève Hélène Jérôme Léa Maëlle Noémie Raphaël Sébastien Zoé",
    "Beauchêne Chevalier Delacroix Dûmont Fournier Géraud Lefèvre Marchand Noël Pélissier Rousseau Thévenin de_La_Tour",
)

NAME_POOLS: dict[str, tuple[NamePool, ...]] = {
    "english": (_ENGLISH,),
    "canadian": (_ENGLISH, _FRENCH),
    "french": (_FRENCH,),
    "irish": (
        _pool(
            "Aoife Cillian Éabha Fiachra Gráinne Oisín Róisín Seán Sinéad Tadhg",
            "Ó_Briain Byrne O'Connell Doyle Fitzgerald Gallagher Kavanagh MacNamara O'Sullivan Tierney",
        ),
    ),
    "spanish": (
        _pool(
            "Alejandro Begoña Carmen Diego Esperanza Íñigo José Julián Lucía María Nicolás Rocío Sofía Tomás Ximena",
            "Álvarez Benítez Cárdenas Domínguez Escobar Fernández Gutiérrez Ibáñez Jiménez Muñoz Núñez Peña Quiñones",
        ),
    ),
    "portuguese": (
        _pool(
            "Afonso Beatriz Conceição Duarte Fernão Gonçalo Inês João Luísa Mônica Otávio Renata Simão Tânia",
            "Almeida Brandão Carvalho Conceição Falcão Guimarães Leitão Magalhães Mendonça Nóbrega Simões Vasconcelos",
        ),
    ),
    "dutch": (
        _pool(
            "Anouk Bram Carlijn Daan Eefje Floris Geert Hanneke Joris Lieke Maarten Noortje Sjoerd Willemijn",
            "van_den_Berg de_Bruijn Dijkstra van_Dongen Hoekstra Janssens Kuiper Mertens de_Smet Vandenbroucke",
        ),
    ),
    "german": (
        _pool(
            "Annika Björn Christa Dörte Friedhelm Gisela Hartmut Jörg Käthe Lukas Maximilian Sabine Torsten Ursula",
            "Bäcker Brückner Dörfler Fröhlich Großmann Hübner Köster Löffler Pfäffle Schröder Weißenborn Zöllner",
        ),
    ),
    "italian": (
        _pool(
            "Alessandra Beniamino Chiara Donatella Emanuele Fiorenza Giosuè Ilaria Niccolò Ottavia Pierpaolo Rosalia",
            "Bernardini Cattaneo D'Angelo Esposito Ferraris Giannetti Lorusso Mantovani Pellegrini Ricciardi Sant'Elia",
        ),
    ),
    "danish": (
        _pool(
            "Astrid Bjørn Freja Jørgen Kåre Lærke Mikkel Søren Sørine Torben",
            "Bæk Dahlgaard Højgaard Kjær Mørch Nørgaard Rødbro Skovgård Sørensen Vestergaard",
        ),
    ),
    "swedish": (
        _pool(
            "Agnes Åsa Björn Elin Gösta Håkan Ingrid Maj-Britt Sören Tove",
            "Ågren Bergström Ekström Fjällström Hägglund Lindqvist Nyström Öberg Sjöberg Wallström",
        ),
    ),
    "norwegian": (
        _pool(
            "Åse Bjørg Eirik Gunnhild Håvard Ingvild Kåre Marthe Ørjan Sigrid",
            "Aasen Bjørnstad Grønn Hjelmeland Kjærstad Løvås Ødegård Rønning Skjåk Tangen",
        ),
    ),
    "finnish": (
        _pool(
            "Aino Eero Hilkka Jyrki Kyösti Leena Oili Päivi Seppo Väinö",
            "Hämäläinen Järvinen Kärkkäinen Laaksonen Mäkelä Niemelä Pöyhönen Räsänen Saarinen Väisänen",
        ),
    ),
    "polish": (
        _pool(
            "Agnieszka Bożena Elżbieta Grażyna Jadwiga Łucja Małgorzata Żaneta",
            "Dąbrowska Grabowska Jabłońska Kamińska Pawłowska Sławińska Zielińska",
        ),
        _pool(
            "Bogusław Jędrzej Łukasz Michał Paweł Stanisław Świętosław Wojciech",
            "Błaszczyk Górski Kaźmierczak Nowakowski Piątek Wójcik Żebrowski",
        ),
    ),
    "czech": (
        _pool("Božena Dáša Jiřina Kateřina Ludmila Růžena", "Bílková Dvořáková Horáková Němcová Růžičková Šťastná"),
        _pool("Břetislav Jiří Luboš Matěj Ondřej Řehoř", "Beneš Čermák Dvořák Hájek Kříž Procházka Šimůnek"),
    ),
    "hungarian": (
        _pool(
            "Ágnes Béla Csilla Dezső Eszter Gergő István Júlia Kálmán László Márta Zsófia",
            "Balogh Csöngedi Erdős Fülöp Győrffy Horváth Kővári Lőrincz Szűcs Tóth Vörös",
        ),
    ),
    "romanian": (
        _pool(
            "Anișoara Bogdan Cătălina Dănuț Florența Ionuț Mădălina Răzvan Ștefania Viorica",
            "Bălan Cîrstea Dumitrașcu Enăchescu Iliță Mănescu Păunescu Rădulescu Șerban Țurcanu",
        ),
    ),
    "bulgarian": (
        _pool("Божидара Весела Десислава Йорданка Красимира", "Ангелова Георгиева Димитрова Йовчева Стоянова"),
        _pool("Борислав Владимир Георги Любомир Огнян", "Ангелов Георгиев Димитров Петков Стоянов"),
    ),
    "greek": (
        _pool("Αικατερίνη Ελένη Ευαγγελία Κωνσταντίνα Σοφία", "Αντωνίου Γεωργίου Νικολάου Παπαδοπούλου Οικονόμου"),
        _pool(
            "Αλέξανδρος Γεώργιος Δημήτριος Ιωάννης Νικόλαος", "Αθανασίου Βασιλείου Καραγιάννης Παπαδόπουλος Σταυρίδης"
        ),
    ),
    "turkish": (
        _pool(
            "Ayşegül Barış Çağla Doğan Gökçe Işıl İbrahim Müjde Oğuz Özlem Şebnem Ümit",
            "Akgün Bayraktaroğlu Çelik Demirtaş Erdoğdu Güneş Karadağ Özkan Şahin Tunçbilek Yıldırım",
        ),
    ),
    "ukrainian": (
        _pool("Ганна Євгенія Людмила Оксана Соломія", "Бондаренко Гриценко Коваленко Мельниченко Ткаченко"),
        _pool("Андрій Богдан Дмитро Олексій Юрій", "Гнатюк Кравчук Лисенко Поліщук Шевчук"),
    ),
    "hebrew": (_pool("אביגיל דניאל יעל משה נועה רונן שירה תמר", "אברמוביץ גולדברג כהן לוי מזרחי פרידמן שפירא"),),
    "south_african": (
        _pool(
            "Andile Bongiwe Hendrik Johannes Lerato Marietjie Nomvula Pieter Sipho Thandeka",
            "Botha Dlamini van_der_Merwe Khumalo Naidoo Nkosi Pretorius Sithole Steyn Zulu",
        ),
    ),
    "indian": (
        _pool(
            "Aditya Bhavana Chandrika Deepak Gayatri Harish Ishita Kavya Lakshmi Manoj Nandini Rohan Sunita Vikram",
            "Agarwal Banerjee Chatterjee Deshpande Iyer Joshi Krishnamurthy Menon Nair Patil Raghavan Subramanian",
        ),
    ),
    "japanese": (
        _pool("明子 健太 美咲 直樹 翔太 恵子 裕子 大輔 陽菜 拓也", "伊藤 加藤 高橋 佐藤 鈴木 田中 中村 山本 渡辺 小林"),
    ),
    "korean": (_pool("민준 서연 지훈 수빈 예은 도윤 하은 현우 지민 은정", "김 이 박 최 정 강 조 윤 장 임"),),
    "taiwanese": (_pool("怡君 家豪 淑芬 志明 雅婷 俊傑 美玲 冠宇 佳穎 建宏", "陳 林 黃 張 李 王 吳 劉 蔡 楊"),),
    "thai": (_pool("กนกวรรณ ชัยวัฒน์ ณัฐพล ปิยะดา พิมพ์ชนก สมชาย อรุณี", "แก้วมณี จันทร์เพ็ญ ทองสุข บุญมี ศรีสวัสดิ์ สุขใจ"),),
}


def choose_name(*, culture: str, rng: Random) -> tuple[str, str]:
    """Return a random given name and family name of the culture."""
    pool = rng.choice(NAME_POOLS[culture])
    return rng.choice(pool.given), rng.choice(pool.family)


def build_mailbox(*, first_name: str, last_name: str, number: int) -> str:
    """Return a unique address at example.org: the name's Latin letters, or "contact" without any, and the number."""
    slug = build_slug(first_name=first_name, last_name=last_name) or "contact"
    return f"{slug}.{number}@example.org"


def build_slug(*, first_name: str, last_name: str) -> str:
    """Return the Latin letters of a name in lower case, without accents, as `first.last`; empty if it has none."""
    plain = unicodedata.normalize("NFKD", f"{first_name}.{last_name}".lower())
    letters = "".join(
        character for character in plain if character.isascii() and (character.isalpha() or character == ".")
    )
    return letters.strip(".")[:_LONGEST_SLUG]
