"""Countries and languages in words."""

from __future__ import annotations

import pytest

from ctms.core.text.territories import find_country, get_countries, name_country, name_language


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("es-AR", "Spanish (Argentina)"),
        ("de", "German"),
        ("pt_BR", "Portuguese (Brazil)"),
        ("zh-Hans-CN", "Chinese (Simplified, China)"),
        ("English", "English"),
        ("xx", "xx"),
        ("", ""),
        ("a b", "a b"),
    ],
)
def test_a_language_is_named_by_its_tag(tag: str, name: str) -> None:
    assert name_language(tag) == name


def test_a_country_is_named_by_its_code_and_found_by_both() -> None:
    assert (name_country("AR"), name_country("XX"), name_country("")) == ("Argentina", "XX", "")
    assert [find_country(text) for text in ("argentina", " ar ", "AR", "Nowhere", "")] == ["AR", "AR", "AR", "", ""]


def test_countries_are_in_the_order_of_their_names() -> None:
    names = list(get_countries().values())
    assert names == sorted(names)
    assert {"DE", "GB", "XK"} <= get_countries().keys()
    assert not {"EU", "ZZ", "UN"} & get_countries().keys()
