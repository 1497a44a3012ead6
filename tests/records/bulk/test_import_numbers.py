"""Numbers of files: what a text means, and how the mark before fractions is found for a column."""

from __future__ import annotations

from functools import partial

import pytest

from ctms.configuration.fields import ObjectField
from ctms.records.bulk.imports.cells import list_plain
from ctms.records.bulk.imports.dialects.numbers import DecimalMark, MixedNumbersError, find_number_reading, read_number

POINT, COMMA = DecimalMark.POINT, DecimalMark.COMMA
FEE = ObjectField(api_name="fee__c", label="Fee", kind="currency", attribute="custom_fields__fee__c", is_custom=True)


@pytest.mark.parametrize(
    ("text", "with_point", "with_comma"),
    [
        ("12", "12", "12"),
        ("-3", "-3", "-3"),
        ("\u22125", "-5", "-5"),
        ("+4.5", "4.5", None),
        ("1,5", None, "1.5"),
        ("1.234", "1.234", "1234"),
        ("1,234", "1234", "1.234"),
        ("1.234,5", None, "1234.5"),
        ("1,234.5", "1234.5", None),
        ("1.234.567", None, "1234567"),
        ("1\u00a0234,5", None, "1234.5"),
        ("1\u202f234", "1234", "1234"),
        ("1'234.50", "1234.50", None),
        ("0.125", "0.125", None),
        ("1234,567", None, "1234.567"),
        ("1\u2009234\u2009567,5", None, "1234567.5"),
        ("1\u2019234.50", "1234.50", None),
        ("(1.234,50)", None, "-1234.50"),
        ("( 12 )", "-12", "-12"),
        ("1.234,50-", None, "-1234.50"),
        ("12 \u2212", "-12", "-12"),
        ("\u0663", "3", "3"),  # Arabic, Devanagari and full-width digits
        ("\u0967.\u0968\u0969\u096a,\uff15", None, "1234.5"),
        *(
            (text, None, None)
            for text in (
                "abc",
                "1,2,3",
                "1.5.2",
                "1E+05",
                "1e3",
                "1_000",
                "\u00b2",
                "\u0661\u066b\u0665",
                ".5",
                "12 kg",
                "",
                "(-5)",
                "-5-",
                "()",
                "((5))",
                "-",
            )
        ),
    ],
)
def test_a_number_has_a_meaning_for_each_mark(text: str, with_point: str | None, with_comma: str | None) -> None:
    assert (read_number(text, mark=POINT), read_number(text, mark=COMMA)) == (with_point, with_comma)


@pytest.mark.parametrize(
    ("cells", "point_is_certain", "mark"),
    [
        (["12", "7"], False, POINT),
        (["1.234", "1,5"], False, COMMA),
        (["1.234", "2.5"], False, POINT),
        (["1.234"], True, POINT),
        (["1.234"], False, None),
        (["1,234"], True, None),
        (["soon", "1.234.567"], True, COMMA),
    ],
)
def test_the_mark_of_a_column_is_that_which_every_cell_allows(
    cells: list[str], point_is_certain: bool, mark: DecimalMark | None
) -> None:
    reading = find_number_reading(label="Hours", cells=enumerate(cells, start=2), point_is_certain=point_is_certain)
    assert (reading.mark, reading.is_open) == (mark, mark is None)


def test_a_column_that_no_mark_fits_is_refused_with_its_lines() -> None:
    with pytest.raises(MixedNumbersError) as caught:
        find_number_reading(label="Hours", cells=[(2, "1,5"), (3, "2.5")], point_is_certain=True)
    assert str(caught.value) == (
        "Hours: 2.5 (line 3) has a point before the fraction, 1,5 (line 2) a comma. Write all numbers of the column in "
        "one way, best as 1234.5."
    )


@pytest.mark.parametrize(
    ("text", "with_point", "with_comma"),
    [
        ("1.234,50 EUR", None, "1234.50 EUR"),
        ("EUR 1.234,50", None, "1234.50 EUR"),
        ("1\u00a0234,50\u00a0€", None, "1234.50 EUR"),
        ("£1,234.50", "1234.50 GBP", None),
        ("CHF 1'234.50", "1234.50 CHF", None),
        ("(1.234,50 eur)", None, "-1234.50 EUR"),
        ("EUR (1,234.50)", "-1234.50 EUR", None),
        ("1,234 KWD", "1234 KWD", "1.234 KWD"),
        ("1,234 EUR", "1234 EUR", None),  # no fraction of three digits in euros
        ("1.234 JPY", None, "1234 JPY"),
        ("12", "12", "12"),
        ("12.345 EUR", None, "12345 EUR"),
        ("99,000 JPY", "99000 JPY", None),
        ("1.2345 EUR", "1.2345 EUR", None),  # which the currency refuses
        *((text, None, None) for text in ("EUR 5 USD", "5 euros", "$5", "EUR")),
    ],
)
def test_an_amount_has_its_currency_before_or_behind_it(
    text: str, with_point: str | None, with_comma: str | None
) -> None:
    meant = list_plain(text, field=FEE)
    assert (meant.get(POINT), meant.get(COMMA)) == (with_point, with_comma)


@pytest.mark.parametrize(("point_is_usual", "mark"), [(True, POINT), (False, COMMA)])
def test_a_point_before_too_many_decimals_is_left_to_be_refused_where_it_is_usual(
    point_is_usual: bool, mark: DecimalMark
) -> None:
    reading = find_number_reading(
        label="Fee",
        cells=[(2, "12.345 EUR")],
        point_is_certain=point_is_usual,
        list_meanings=partial(list_plain, field=FEE, point_is_usual=point_is_usual),
    )
    assert reading.mark == mark


def test_what_a_point_is_taken_for_is_told_though_it_is_certain() -> None:
    reading = find_number_reading(label="Hours", cells=[(2, "1.234")], point_is_certain=True)
    assert (reading.mark, reading.assumed, reading.is_shown) == (POINT, "1.234", False)
