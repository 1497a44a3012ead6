"""The grammar of SOQL."""

# ruff: noqa: S608  SOQL under test

import pytest

from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.grammar import parse_query


def read_where(condition: str) -> tree.Condition | None:
    """Return the tree of a condition."""
    return parse_query(f"SELECT Id FROM Account WHERE {condition}").where


def read_text(literal: str) -> str:
    """Return the text of a string literal."""
    where = read_where(f"Name = {literal}")
    assert isinstance(where, tree.Comparison)
    return where.value.text


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r"'O\'Brien'", "O'Brien"),
        (r"'a\\b'", "a\\b"),
        (r"'a\nb\tc'", "a\nb\tc"),
        (r"'\u00e9'", "é"),
        (r"'\"x\"'", '"x"'),
        ("''", ""),
        ("'SELECT -- FROM'", "SELECT -- FROM"),
        (r"'50\%'", r"50\%"),
    ],
)
def test_strings_are_unescaped(literal: str, text: str) -> None:
    assert read_text(literal) == text


def test_keywords_in_any_case_and_as_names() -> None:
    query = parse_query(
        "select Id, Limit__c from Account a where Order__c = null order by Group__c desc nulls last limit 3"
    )
    assert (query.source, query.alias, query.limit) == ("Account", "a", 3)
    assert [(item.descending, item.nulls_last) for item in query.order_by] == [(True, True)]


def test_and_binds_its_own_parentheses() -> None:
    where = read_where("A__c = 1 AND (B__c = 2 OR NOT C__c = 3)")
    assert isinstance(where, tree.Junction)
    assert where.operator == "AND"
    inner = where.conditions[1]
    assert isinstance(inner, tree.Junction)
    assert (inner.operator, type(inner.conditions[1])) == ("OR", tree.Negation)


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("SELECT Id FROM Account WHERE A__c = 1 AND B__c = 2 OR C__c = 3", 52, "unexpected token: 'OR'"),
        ("SELECT Id FORM Account", 16, "unexpected token: 'Account'"),
        ("SELECT Id FROM", 15, "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Name = 'x", 37, "unexpected token: '''"),
        ("SELECT Id FROM Account WHERE Name = :name", 37, "Bind variables only allowed in Apex code"),
        ("SELECT Id FROM Account LIMIT -1", 30, "unexpected token: '-1'"),
        ("DELETE FROM Account", 1, "unexpected token: 'DELETE'"),
    ],
)
def test_the_error_points_at_what_cannot_be_read(query: str, column: int, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_query(query)
    assert caught.value.code == "MALFORMED_QUERY"
    *_, place, text = caught.value.message.split("\n")
    assert (place, text) == (f"ERROR at Row:1:Column:{column}", message)


def test_the_caret_stands_under_the_error_in_later_rows_too() -> None:
    with pytest.raises(ApiError) as caught:
        parse_query("SELECT Id\nFROM Account\nWHERE Name ! 'x'")
    assert "ERROR at Row:3:Column:12" in caught.value.message
    _, excerpt, caret, *_ = caught.value.message.split("\n")
    assert excerpt[len(caret) - 1] == "!"
