"""Says in words how a file was read, and what its user has to say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils import formats

from ctms.core.text.dates import FIRST_OF_SHORT_YEARS, DateOrder, NumericDate
from ctms.records.bulk.imports.cells import is_day, list_plain, write_plainly
from ctms.records.bulk.imports.columns import Column
from ctms.records.bulk.imports.dialects.code_pages import CODE_PAGES, find_sample
from ctms.records.bulk.imports.dialects.dates import DateReading, find_reading
from ctms.records.bulk.imports.dialects.numbers import DecimalMark, find_number_reading
from ctms.records.bulk.imports.files import FileRow
from ctms.records.fields.kinds.base import kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How the columns of dates, or of numbers, are read: `choices` by API name, and in `words`.

    `question` is asked if cells can be mistaken: it has the `columns` by label, `samples`, what the first of them is
    by each answer (such as `day_first`), and `hint`, the answer that the file's other columns propose.
    """

    choices: Mapping[str, str]
    question: Mapping[str, Any] | None
    words: tuple[str, ...]


def read_dates(*, columns: Iterable[Column], rows: Sequence[FileRow], answer: str) -> Found:
    """Decide how the dates of each column are read. `answer` is the order that the user said, if any.

    Raises MixedDatesError if no reading fits a column.
    """
    found = {
        column: find_reading(label=column.header, cells=_list_cells(column=column, rows=rows))
        for column in columns
        if is_day(column.field)
    }
    decided = {each.order for each in found.values() if each.order is not None}
    open_columns = {column: each for column, each in found.items() if each.is_open}
    orders: dict[str, str] = {}
    readings = []
    for column, each in found.items():
        order = each.order or (DateOrder(answer) if answer else None)
        if order is None or not each.examples:
            continue
        orders[column.field.api_name] = order.value
        example = each.examples[0]
        readings.append(f"{column.header} is read with the {order.label}: {example.text} is {_show(example, order)}.")
    if any(each.has_short_years for each in found.values()):
        last = FIRST_OF_SHORT_YEARS + 99
        readings.append(f"Years of two digits are read as {FIRST_OF_SHORT_YEARS} to {last}.")
    question = _build_question(open_columns, hint=decided.pop() if len(decided) == 1 else None)
    return Found(choices=orders, question=question, words=tuple(readings))


def read_numbers(
    *, columns: Iterable[Column], rows: Sequence[FileRow], answer: str, is_sheet: bool, delimiter: str
) -> Found:
    """Decide how the numbers of each column are read. `answer` is the mark that the user said, if any.

    The numbers of a workbook come with a point. In a file with commas between its cells a point is usual before a
    fraction, but not certain: programs set up for a comma write such files too.

    Raises MixedNumbersError if no reading fits a column.
    """
    found = {
        column: find_number_reading(
            label=column.header,
            cells=_list_cells(column=column, rows=rows),
            point_is_certain=is_sheet,
            list_meanings=partial(list_plain, field=column.field, point_is_usual=is_sheet or delimiter == ","),
        )
        for column in columns
        if kind_of(column.field).is_number
    }
    marks: dict[str, str] = {}
    words = []
    for column, each in found.items():
        mark = each.mark or (DecimalMark(answer) if answer else None)
        if mark is None:
            continue
        marks[column.field.api_name] = mark.value
        number = write_plainly(each.example, mark=mark, field=column.field)
        if number is not None and number != each.example:
            words.append(f"{column.header}: {each.example} is read as {number}.")
        if each.assumed:
            words.append(f"{column.header}: the point in {each.assumed} stands before a fraction.")
    open_columns = {column: each for column, each in found.items() if each.is_open}
    if not open_columns:
        return Found(choices=marks, question=None, words=tuple(words))
    samples = [each.example for each in open_columns.values()]
    first = next(iter(open_columns))
    answers = {mark.value: write_plainly(samples[0], mark=mark, field=first.field) for mark in DecimalMark}
    decided = {each.mark.value for each in found.values() if each.mark and each.is_shown}
    hint = decided.pop() if len(decided) == 1 else ""
    question = {"columns": [column.header for column in open_columns], "samples": samples, "hint": hint} | answers
    return Found(choices=marks, question=question, words=tuple(words))


def describe_encoding(*, text: str, encoding: str) -> tuple[str, ...]:
    """Say in which code page a text was read, and which words show whether that is right; nothing for Unicode."""
    if not encoding:
        return ()
    sample = find_sample(text)
    return (f"Read as {CODE_PAGES[encoding].label}, because it is not Unicode. Words that show it: {sample}.",)


def describe_sheet(*, sheet: str, sheets: Sequence[str]) -> tuple[str, ...]:
    """Say which of several sheets is read."""
    if len(sheets) <= 1:
        return ()
    others = ", ".join(f"“{each}”" for each in sheets if each != sheet)
    return (f"Of the workbook, the sheet “{sheet}” is read, and not {others}.",)


def _list_cells(*, column: Column, rows: Sequence[FileRow]) -> Iterable[tuple[int, str]]:
    position = column.position
    return ((row.line, row.cells[position]) for row in rows if position < len(row.cells))


def _build_question(columns: Mapping[Column, DateReading], *, hint: DateOrder | None) -> dict[str, Any] | None:
    if not columns:
        return None
    example = next(iter(columns.values())).examples[0]
    return {
        "columns": [column.header for column in columns],
        "samples": [each.text for reading in columns.values() for each in reading.examples],
        "sample": example.text,
        "day_first": _show(example, DateOrder.DAY_FIRST),
        "month_first": _show(example, DateOrder.MONTH_FIRST),
        "hint": hint.value if hint else "",
    }


def _show(example: NumericDate, order: DateOrder) -> str:
    moment = example.read(order)
    return formats.date_format(moment.date()) if moment else ""
