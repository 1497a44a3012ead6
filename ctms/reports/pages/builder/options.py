"""Columns to choose from, as options of selects and as ticks.

They are joined here and not in a template, because the builder has thousands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from django.utils.safestring import SafeString

from ctms.core.icons import render_icon
from ctms.reports.engine.columns import Column, list_columns
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.parts import Part

Groups = Mapping[str, Sequence[Column]]


def group_columns(opened: OpenReport) -> Groups:
    """Return the columns that may be chosen, by object and by the reference that leads to them."""
    found: dict[str, list[Column]] = {}
    for part in opened.parts:
        for column in list_columns(part):
            found.setdefault(name_group(part=part, column=column), []).append(column)
    return found


def name_group(*, part: Part, column: Column) -> str:
    """Return what the columns of an object, or of a record that it refers to, stand under."""
    return ": ".join(filter(None, (part.label, column.subject.group)))


def name_column(column: Column, *, has_parts: bool) -> str:
    """Return the column in words; that of a related object with the object's name."""
    return f"{column.part.label}: {column.label}" if has_parts and column.part.mark else column.label


def render_options(
    groups: Groups,
    *,
    chosen: str,
    blank: str,
    allows: Callable[[Column], bool] = lambda _: True,
    first: Iterable[tuple[str, str]] = (),
) -> SafeString:
    """Return the options of a select: none, those that come first, and the columns that are allowed."""
    known = {"", *(value for value, _ in first)}
    parts = [_render_option("", blank, is_chosen=not chosen)]
    parts += [_render_option(value, label, is_chosen=value == chosen) for value, label in first]
    for label, columns in groups.items():
        offered = [each for each in columns if allows(each)]
        if offered:
            known |= {each.key for each in offered}
            parts.append(f'<optgroup label="{escape(label)}">')
            parts += [_render_option(each.key, each.field.label, is_chosen=each.key == chosen) for each in offered]
            parts.append("</optgroup>")
    if chosen not in known:
        # Shown, so that it can be seen and changed.
        parts.append(_render_option(chosen, f"{chosen} (not there any more)", is_chosen=True))
    return SafeString("".join(parts))


def render_choices(choices: Iterable[tuple[str, str]], *, chosen: str) -> SafeString:
    """Return the options of a select of a few choices."""
    return SafeString("".join([_render_option(value, label, is_chosen=value == chosen) for value, label in choices]))


def render_chosen(columns: Iterable[tuple[str, str]]) -> SafeString:
    """Return the chosen columns in their order, each with its tick and buttons that move it."""
    return SafeString("".join([_render_chosen(key, label) for key, label in columns]))


def render_ticks(columns: Iterable[Column]) -> SafeString:
    """Return a tick for each column that may be added."""
    return SafeString(
        "".join(
            [
                f'<li><label class="tick"><input type="checkbox" name="column" value="{escape(each.key)}"> '
                f"{escape(each.field.label)}</label></li>"
                for each in columns
            ]
        )
    )


def _render_option(value: str, label: str, *, is_chosen: bool) -> str:
    return f'<option value="{escape(value)}"{" selected" if is_chosen else ""}>{escape(label)}</option>'


def _render_chosen(key: str, label: str) -> str:
    value, text = escape(key), escape(label)
    buttons = "".join(
        [
            f'<button class="button quiet icon-only small" type="submit" name="{step}" value="{value}" '
            f'aria-label="Move {text} {side}">{render_icon(icon, "small")}</button>'
            for step, side, icon in (("up", "forward", "chevron-up"), ("down", "back", "chevron-down"))
        ]
    )
    tick = f'<input type="checkbox" name="column" value="{value}" checked> {text}'
    return f'<li><label class="tick">{tick}</label>{buttons}</li>'
