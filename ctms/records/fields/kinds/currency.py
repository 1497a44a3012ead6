"""An amount of money with its currency, such as 1234.50 EUR."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from django.utils.html import format_html
from django.utils.safestring import SafeString
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.comparisons import NumberComparison
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.kinds.base import API_MESSAGES, Aggregate, ApiField, Asked, CrmType, Kind, register_kind

_OFTEN = ("EUR", "USD", "GBP", "CHF", "JPY")
# ISO 4217 by the number of digits after the point.
_ISO_4217 = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
        CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
        KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
        NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
        TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS: Mapping[str, int] = {code: digits for digits, codes in _ISO_4217.items() for code in codes.split()}
_MOST_WHOLE_DIGITS = 11  # with four digits after the point, what JSON readers hold without rounding
_AMOUNT = r"-?[0-9][0-9, \u00a0\u202f]*(?:\.[0-9]+)?"
_TEXT = re.compile(rf"(?P<before>[A-Za-z]{{3}})?\s*(?P<amount>{_AMOUNT})\s*(?P<after>[A-Za-z]{{3}})?\Z")
_GROUPED = re.compile(r"-?([0-9]+|[0-9]{1,3}(?:([, \u00a0\u202f])[0-9]{3})(?:\2[0-9]{3})*)(\.[0-9]+)?\Z")
_GROUP = 3  # digits between marks of thousands
_SYMBOLS = {"€": "EUR", "£": "GBP"}  # $ and ¥ are those of several currencies
_CODE = "[A-Za-z]{3}|[€£]"
_CELL = re.compile(rf"(?P<before>{_CODE})?\s*(?P<amount>[^A-Za-z€£]+?)\s*(?P<after>{_CODE})?")
_NO_MONEY = "This is no amount with a currency. Write it as 1234.50 EUR."


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in a currency of ISO 4217."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.write_amount()} {self.currency}"

    def write_amount(self, *, is_grouped: bool = False) -> str:
        """Return the amount with the digits of its currency."""
        digits = _DECIMALS.get(self.currency, 2)
        return f"{self.amount:,.{digits}f}" if is_grouped else f"{self.amount:.{digits}f}"

    def find_problem(self) -> str:
        """Return what is wrong; empty if nothing."""
        digits = _DECIMALS.get(self.currency)
        if digits is None:
            return f"{self.currency} is no currency of ISO 4217. Choose one such as EUR or USD."
        if not self.amount.is_finite() or abs(self.amount) >= 10**_MOST_WHOLE_DIGITS:
            return f"Enter an amount of at most {_MOST_WHOLE_DIGITS} digits before the point."
        if -int(self.amount.normalize().as_tuple().exponent) > digits:
            return f"{self.currency} has {digits or 'no'} digits after the point. Round the amount."
        return ""


def read_money(text: str) -> Money:
    """Return what a text such as `1,234.50 EUR` says. Raises ValueError saying what to write instead."""
    found = _TEXT.match(text.strip())
    if found is None or _GROUPED.match(found["amount"].strip()) is None or (found["before"] and found["after"]):
        raise ValueError(_NO_MONEY)
    code = (found["before"] or found["after"] or "").upper()
    if not code:
        raise ValueError("The currency is missing. Choose one, or write it behind the amount: 1234.50 EUR.")
    money = Money(amount=Decimal(re.sub(r"[, \u00a0\u202f]", "", found["amount"])), currency=code)
    if problem := money.find_problem():
        raise ValueError(problem)
    typed = found["amount"].strip()
    if _DECIMALS[code] == _GROUP and re.fullmatch(rf"-?[0-9]+,[0-9]{{{_GROUP}}}", typed):
        raise ValueError(
            f"{typed} {code} can be {typed.replace(',', '.')} or {money.write_amount()}. Write one of these."
        )
    return money


class MoneyInput(forms.TextInput):
    """The amount, and a list of currencies beside it. Both come in as one text."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        amount, _, code = self.format_value(value).rpartition(" ")
        if code not in _DECIMALS:
            amount, code = self.format_value(value), ""
        given = {"inputmode": "decimal", "autocomplete": "off", **(attrs or {})}
        others = [(each, each) for each in sorted(_DECIMALS) if each not in _OFTEN]
        often = [(each, each) for each in _OFTEN]
        choices = [("", "–"), ("Often used", often), ("All others", others)]
        select = forms.Select(choices=choices)
        return format_html(
            '<span class="parts">{}{}</span>',
            super().render(name, amount, given, renderer),
            select.render(f"{name}__currency", code, {"aria-label": "Currency"}, renderer),
        )

    def format_value(self, value: Any) -> str:
        return "" if value is None else str(value)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:  # noqa: ARG002  Django's signature
        amount, code = (str(data.get(each) or "").strip() for each in (name, f"{name}__currency"))
        # A code behind the amount, as it is pasted, counts more than the list beside it.
        return amount if not amount or not code or amount[-1].isalpha() or amount[0].isalpha() else f"{amount} {code}"


class MoneyField(forms.Field):
    """An amount with its currency, as one text."""

    widget = MoneyInput

    def to_python(self, value: Any) -> Money | None:
        if value in self.empty_values or isinstance(value, Money):
            return value or None
        try:
            return read_money(str(value))
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True


def _describe_codes(digits: int) -> dict[str, Any]:
    fraction = rf"(\.[0-9]{{1,{digits}}})?" if digits else ""
    return {
        "type": "object",
        "properties": {
            "amount": {"type": "string", "pattern": rf"^-?[0-9]{{1,{_MOST_WHOLE_DIGITS}}}{fraction}$"},
            "currency": {"type": "string", "enum": _ISO_4217[digits].split()},
        },
        "required": ["amount", "currency"],
    }


@extend_schema_field({"oneOf": [_describe_codes(digits) for digits in _ISO_4217]}, component_name="MoneyInput")
class MoneyApiField(serializers.Field[Any, Any, Any, Any]):
    """Reads `{"amount": "1234.50", "currency": "EUR"}`. The amount is a text, so that no reader rounds it."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": 'Send an object such as {{"amount": "1234.50", "currency": "EUR"}}, with the amount in quotes.',
        "wrong": "{problem}",
    }

    def to_internal_value(self, data: Any) -> Money:
        money = _read_json(data)
        if money is None:
            self.fail("invalid")
        if problem := money.find_problem():
            self.fail("wrong", problem=problem)
        return money

    def to_representation(self, value: Any) -> dict[str, str]:
        return _write_json(value)


def _read_json(data: Any) -> Money | None:
    amount, code = (data.get("amount"), data.get("currency")) if isinstance(data, dict) else (None, None)
    if not isinstance(amount, str) or not isinstance(code, str) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", amount):
        return None
    return Money(amount=Decimal(amount), currency=code)


def _write_json(money: Money) -> dict[str, str]:
    return {"amount": money.write_amount(), "currency": money.currency}


class MoneyComparison(NumberComparison):
    """Conditions on amounts, such as from `100`, or from `100 EUR`: with a currency, only amounts in it match."""

    input_type = "text"
    schema = {"type": "string", "pattern": rf"^-?[0-9]{{1,{_MOST_WHOLE_DIGITS}}}(\.[0-9]+)?( [A-Z]{{3}})?$"}

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:
        if re.search("[A-Za-z]", value):
            return str(read_money(value))
        return super().read(shape=shape, field=field, value=value)

    def read_bound(self, value: str) -> Decimal:
        return Decimal(value.partition(" ")[0])

    def read_typed(self, *, field: ObjectField, value: str) -> Any:
        del field
        amount, _, code = value.partition(" ")
        return Money(amount=Decimal(amount), currency=code) if code else amount

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:
        codes = [value.partition(" ")[2] for value in values]
        if operator == Operator.BETWEEN and codes[0] != codes[1]:
            raise ValueError("Give both amounts in one currency, or both without.")
        spans = super().mean(asker=asker, field=field, operator=operator, values=values)
        return list(zip(spans, codes, strict=False))

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:
        fits = Q()
        for span, code in meaning:
            amount = super().build(field=field, operator=operator, name=name, meaning=[span])
            fits |= amount & Q(Exact(_find_currency(field), code)) if code else amount
        return fits


def _find_currency(field: ObjectField) -> Combinable:
    return Cast(KeyTextTransform("currency", KeyTransform(field.api_name, "custom_fields")), models.TextField())


@register_kind
class CurrencyKind(Kind):
    """Money. It is sorted and compared by the amount; a filter may name a currency too."""

    name = "currency"
    label = "Currency"
    custom_names = {"currency": "Currency"}
    custom_column = models.FloatField
    comparison = MoneyComparison()
    is_number = True
    aggregates = (Aggregate.COUNT,)
    export_width = 18
    json_schema = {
        "type": "object",
        "properties": {
            "amount": {"type": "string", "examples": ["1234.50"]},
            "currency": {"type": "string", "examples": ["EUR"]},
        },
        "required": ["amount", "currency"],
    }
    json_component = "Money"
    crm_type = CrmType.NUMBER

    def tell(self, *, stored: Any, labels: Mapping[str, str]) -> str:
        del labels
        return _show(self.read(stored))

    def read(self, stored: Any) -> Money:
        return Money(amount=Decimal(stored["amount"]), currency=stored["currency"])

    def store(self, value: Any) -> dict[str, str]:
        return _write_json(value)

    def build_value(self, field: ObjectField, lead: str = "") -> Combinable:
        stored = KeyTransform(field.api_name, f"{lead}custom_fields")
        return Cast(KeyTextTransform("amount", stored), self.custom_column())

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return str(value.find_problem()) if isinstance(value, Money) else _NO_MONEY

    def format(self, *, value: Any, field: ObjectField, shape: ObjectShape) -> str:
        del field, shape
        return _show(value) if isinstance(value, Money) else str(value)

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        del asked
        return MoneyField(**common)

    def advise(self, field: ObjectField) -> str:
        del field
        return "An amount with its currency, as 1234.50 EUR."

    def split_unit(self, text: str) -> tuple[str, str]:
        in_parentheses = text.startswith("(") and text.endswith(")")
        found = _CELL.fullmatch(text[1:-1].strip() if in_parentheses else text)
        if found is None or (found["before"] and found["after"]):
            return text, ""
        code = found["before"] or found["after"] or ""
        amount = f"({found['amount']})" if in_parentheses else found["amount"]
        return amount, _SYMBOLS.get(code, code.upper())

    def fits_unit(self, *, number: Decimal, unit: str) -> bool:
        # Three digits are a group of thousands, zeros or not, if the currency has not as many.
        digits = -int(number.as_tuple().exponent)
        return unit not in _DECIMALS or digits != _GROUP or _DECIMALS[unit] == _GROUP

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del field, shape, model_field
        return MoneyApiField(**common)

    def to_json(self, value: Any) -> dict[str, str]:
        return _write_json(value)

    def is_same_json(self, *, value: Any, shown: Any) -> bool:
        return bool(value == shown) or (shown is not None and _read_json(value) == _read_json(shown))

    def to_crm(self, stored: Any) -> float | None:
        # The currency of a record is a field of its own in a CRM.
        return float(stored["amount"]) if stored else None


def _show(money: Money) -> str:
    return f"{money.write_amount(is_grouped=True)} {money.currency}"
