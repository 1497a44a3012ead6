# ruff: noqa: RUF001  Turkish has an i without a dot
"""The forty countries of the demonstration's studies: ISO 3166-1 codes, telephone prefixes, cities and hospitals.

The cities are real. The names of the hospitals are invented, in the language of the country.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """A country: ISO 3166-1 `code` and `number`, ITU calling code, IETF language, and the key of its `NAME_POOLS`."""

    code: str
    name: str
    number: int
    calling_code: int
    language: str
    culture: str
    cities: tuple[str, ...]
    hospitals: tuple[str, ...]


_HOSPITALS = {
    "en": (
        "{} Memorial Hospital",
        "St. Bartholomew's Hospital {}",
        "{} Clinical Research Centre",
        "{} General Hospital",
    ),
    "es": ("Hospital Universitario Santa Lucía de {}", "Clínica San Rafael, {}", "Centro de Investigación Clínica {}"),
    "pt": ("Hospital Santa Casa de {}", "Hospital Universitário de {}", "Instituto de Pesquisa Clínica {}"),
    "fr": ("Centre Hospitalier Saint-Luc, {}", "Hôpital Universitaire de {}", "Clinique des Tilleuls, {}"),
    "nl": ("Sint-Lucasziekenhuis {}", "Universitair Medisch Centrum {}", "Onderzoekskliniek {}"),
    "de": ("Klinikum Sankt Elisabeth {}", "Universitätsklinikum {}", "Studienzentrum {}-Mitte"),
    "it": ("Ospedale San Camillo di {}", "Policlinico Universitario di {}", "Istituto Clinico Santa Chiara, {}"),
    "da": ("Universitetshospitalet i {}", "{} Sygehus", "Klinisk Forskningsenhed {}"),
    "sv": ("Universitetssjukhuset i {}", "Sankt Görans klinik, {}", "Kliniska prövningsenheten {}"),
    "nb": ("Universitetssykehuset i {}", "{} sykehus", "Klinisk forskningspost {}"),
    "fi": ("{} yliopistollinen sairaala", "Lääkärikeskus {}", "Kliininen tutkimuskeskus {}"),
    "pl": ("Szpital Uniwersytecki, {}", "Szpital św. Łukasza, {}", "Ośrodek Badań Klinicznych {}"),
    "cs": ("Fakultní nemocnice {}", "Nemocnice sv. Alžběty, {}", "Centrum klinických studií {}"),
    "hu": ("{} Egyetemi Klinika", "Szent Lukács Kórház, {}", "{} Klinikai Kutatóközpont"),
    "ro": ("Spitalul Clinic Județean {}", "Spitalul Sfântul Luca, {}", "Centrul de Cercetări Clinice {}"),
    "bg": ("Университетска болница „Свети Лука“, {}", "Многопрофилна болница {}", "Медицински център {}"),
    "el": ("Πανεπιστημιακό Νοσοκομείο {}", "Γενικό Νοσοκομείο Άγιος Λουκάς, {}", "Κλινική Μελετών {}"),
    "tr": ("{} Üniversitesi Tıp Fakültesi Hastanesi", "{} Şehir Hastanesi", "Klinik Araştırma Merkezi {}"),
    "uk": ("Обласна клінічна лікарня, {}", "Університетська клініка, {}", "Центр клінічних досліджень, {}"),
    "he": ("המרכז הרפואי האוניברסיטאי {}", "בית החולים {}", "מכון מחקר קליני {}"),
    "hi": ("{} Institute of Medical Sciences", "Shanti Hospital, {}", "{} Clinical Research Unit"),
    "ja": ("{}大学病院", "{}総合病院", "{}臨床研究センター"),
    "ko": ("{}대학교병원", "{}의료원", "{} 임상시험센터"),
    "zh": ("{}大學醫院", "{}綜合醫院", "{}臨床試驗中心"),
    "th": ("โรงพยาบาลมหาวิทยาลัย{}", "โรงพยาบาล{}", "ศูนย์วิจัยทางคลินิก{}"),
}


def _country(  # noqa: PLR0917  a row of the table below
    code: str, name: str, number: int, calling_code: int, language: str, culture: str, cities: str
) -> Country:
    patterns = _HOSPITALS[language.partition("-")[0]]
    named = tuple(cities.split(", "))
    hospitals = tuple(patterns[place % len(patterns)].format(city) for place, city in enumerate(named))
    return Country(code, name, number, calling_code, language, culture, named, hospitals)


COUNTRIES: tuple[Country, ...] = (
    _country(
        "US", "United States", 840, 1, "en-US", "english", "Boston, Rochester, Houston, San Diego, Ann Arbor, Tampa"
    ),
    _country("CA", "Canada", 124, 1, "en-CA", "canadian", "Toronto, Vancouver, Halifax, Calgary"),
    _country("MX", "Mexico", 484, 52, "es-MX", "spanish", "Guadalajara, Monterrey, Mérida, Querétaro"),
    _country("BR", "Brazil", 76, 55, "pt-BR", "portuguese", "São Paulo, Porto Alegre, Curitiba, Ribeirão Preto"),
    _country("AR", "Argentina", 32, 54, "es-AR", "spanish", "Buenos Aires, Córdoba, Rosario"),
    _country("CL", "Chile", 152, 56, "es-CL", "spanish", "Santiago, Valparaíso, Concepción"),
    _country("CO", "Colombia", 170, 57, "es-CO", "spanish", "Bogotá, Medellín, Barranquilla"),
    _country("PE", "Peru", 604, 51, "es-PE", "spanish", "Lima, Arequipa, Trujillo"),
    _country("GB", "United Kingdom", 826, 44, "en-GB", "english", "London, Leeds, Cardiff, Dundee, Exeter"),
    _country("IE", "Ireland", 372, 353, "en-IE", "irish", "Dublin, Cork, Galway"),
    _country("FR", "France", 250, 33, "fr", "french", "Lyon, Nantes, Montpellier, Lille, Besançon"),
    _country("BE", "Belgium", 56, 32, "nl-BE", "dutch", "Leuven, Antwerpen, Gent"),
    _country("NL", "Netherlands", 528, 31, "nl", "dutch", "Utrecht, Groningen, Nijmegen"),
    _country("DE", "Germany", 276, 49, "de", "german", "Berlin, Heidelberg, Münster, Würzburg, Leipzig, Köln"),
    _country("AT", "Austria", 40, 43, "de-AT", "german", "Wien, Graz, Innsbruck"),
    _country("CH", "Switzerland", 756, 41, "de-CH", "german", "Zürich, Basel, Bern"),
    _country("ES", "Spain", 724, 34, "es", "spanish", "Madrid, Barcelona, Málaga, A Coruña, Zaragoza"),
    _country("PT", "Portugal", 620, 351, "pt", "portuguese", "Lisboa, Porto, Coimbra"),
    _country("IT", "Italy", 380, 39, "it", "italian", "Milano, Bologna, Napoli, Forlì, Padova"),
    _country("DK", "Denmark", 208, 45, "da", "danish", "København, Aarhus, Odense"),
    _country("SE", "Sweden", 752, 46, "sv", "swedish", "Göteborg, Malmö, Umeå"),
    _country("NO", "Norway", 578, 47, "nb", "norwegian", "Oslo, Tromsø, Ålesund"),
    _country("FI", "Finland", 246, 358, "fi", "finnish", "Helsinki, Jyväskylä, Tampere"),
    _country("PL", "Poland", 616, 48, "pl", "polish", "Warszawa, Kraków, Łódź, Gdańsk, Wrocław"),
    _country("CZ", "Czechia", 203, 420, "cs", "czech", "Praha, Brno, Plzeň"),
    _country("HU", "Hungary", 348, 36, "hu", "hungarian", "Budapest, Pécs, Győr"),
    _country("RO", "Romania", 642, 40, "ro", "romanian", "București, Timișoara, Iași"),
    _country("BG", "Bulgaria", 100, 359, "bg", "bulgarian", "София, Пловдив, Варна"),
    _country("GR", "Greece", 300, 30, "el", "greek", "Αθήνα, Θεσσαλονίκη, Πάτρα"),
    _country("TR", "Türkiye", 792, 90, "tr", "turkish", "Ankara, İstanbul, İzmir"),
    _country("UA", "Ukraine", 804, 380, "uk", "ukrainian", "Київ, Львів, Одеса"),
    _country("IL", "Israel", 376, 972, "he", "hebrew", "תל אביב, חיפה, באר שבע"),
    _country("ZA", "South Africa", 710, 27, "en-ZA", "south_african", "Cape Town, Durban, Bloemfontein"),
    _country("IN", "India", 356, 91, "hi", "indian", "Pune, Chennai, Lucknow, Kochi"),
    _country("JP", "Japan", 392, 81, "ja", "japanese", "東京, 大阪, 福岡, 札幌"),
    _country("KR", "South Korea", 410, 82, "ko", "korean", "서울, 부산, 대구"),
    _country("TW", "Taiwan", 158, 886, "zh-TW", "taiwanese", "臺北, 臺中, 高雄"),
    _country("TH", "Thailand", 764, 66, "th", "thai", "กรุงเทพ, เชียงใหม่, ขอนแก่น"),
    _country("AU", "Australia", 36, 61, "en-AU", "english", "Melbourne, Brisbane, Perth, Adelaide"),
    _country("NZ", "New Zealand", 554, 64, "en-NZ", "english", "Auckland, Christchurch, Dunedin"),
)

COUNTRIES_BY_CODE = {country.code: country for country in COUNTRIES}
