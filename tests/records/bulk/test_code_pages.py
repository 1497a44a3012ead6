"""Code pages are recognised from few words, as files of names have them."""

from __future__ import annotations

import pytest

from ctms.records.bulk.imports.dialects.code_pages import CODE_PAGES, find_code_page, find_sample

POLISH = "First name;Last name;City\nŁukasz;Wójcik;Łódź\nMałgorzata;Zielińska;Kraków\n"
CZECH = "First name;Last name;City\nJiří;Dvořák;Plzeň\nŠárka;Černá;Brno\n"
GERMAN = "First name;Last name;City\nJürgen;Müller;Köln\nZoë;Weiß;München\n"
FRENCH = "First name;Last name;City\nHélène;Lefèvre;Besançon\nAndré;Gérard;Orléans\n"
WESTERN = "Name\nGérard\nO’Brien\nNaïve\nÅse Sørensen\n"
TURKISH = "First name;Last name;City\nAyşe;Yılmaz;İstanbul\nÇağrı;Öztürk;Muğla\n"  # noqa: RUF001
JAPANESE = "First name;Last name;City\n太郎;山田;東京\n花子;髙橋;①大阪\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((POLISH, name) for name in ("cp1250", "iso8859_2", "mac_latin2", "cp852")),
        *((CZECH, name) for name in ("cp1250", "iso8859_2")),
        *((GERMAN, name) for name in ("cp1252", "mac_roman", "cp850")),
        *((FRENCH, name) for name in ("cp1252", "mac_roman")),
        *((WESTERN, name) for name in ("cp1252", "mac_roman")),
        ("First name;Last name\nJosé;Núñez\n", "cp1252"),
        ("Name\nŁukasz\n", "cp1250"),
        ("Name;City\nJosé;München\nŁukasz;Łódź\n", "cp1250"),
        ("First name;Last name\nGyörgy;Szőke\n", "cp1250"),
        ("Name;Note\nAnn;It’s “fine” – 5 €\nBob;25 °C ± 2 µg\n", "cp1252"),
        ("NAME\nMÜLLER\nKÖLN\n", "cp1252"),
        (TURKISH, "cp1254"),
        ("Name\nŽydrūnas Savickas\nGrybauskaitė\n", "cp1257"),
        *(("First name;City\nИван;Москва\n", name) for name in ("cp1251", "koi8_r")),  # noqa: RUF001
        ("First name;Last name\nΓιώργος;Παπαδόπουλος\n", "cp1253"),  # noqa: RUF001
        (JAPANESE, "cp932"),
        ("First name;Last name\n太郎;山田\n", "euc_jp"),
    ],
)
def test_words_of_a_language_are_read_as_they_were_written(text: str, encoding: str) -> None:
    page = find_code_page(text.encode(encoding))
    assert page is not None
    assert text.encode(encoding).decode(page.name) == text


def test_bytes_without_meaning_are_no_text() -> None:
    assert find_code_page(bytes(range(128, 256)) * 3) is None


def test_words_show_whether_the_guess_is_right() -> None:
    assert find_sample('Name;City\nAnn;Rome\n"Łukasz Wójcik";Łódź\nZoë;Köln') == "Łukasz, Wójcik, Łódź"


def test_each_code_page_is_one_that_python_knows() -> None:
    assert [name for name in CODE_PAGES if "a".encode(name) != b"a"] == []
