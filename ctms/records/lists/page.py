"""The page of a list: everything that its template shows, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.safestring import SafeString

from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import VaultObject
from ctms.records.addresses import get_object_url
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.values import select_references
from ctms.records.lists.columns import (
    COMFORTABLE,
    COMPACT,
    DENSITIES,
    choose_columns,
    choose_size,
    get_lead,
    list_choosable,
)
from ctms.records.lists.filters import list_filterable_fields
from ctms.records.lists.menus import (
    render_column_choices,
    render_filter_link,
    render_group_links,
    render_sort_links,
)
from ctms.records.lists.order.grouping import describe_grouping, list_groupings
from ctms.records.lists.order.keyset_pagination import (
    FIRST,
    InvalidCursorError,
    Page,
    Sort,
    cut_page,
)
from ctms.records.lists.page_parts import ActiveFilter, Link, ListProblem, build_list_links
from ctms.records.lists.pager import Pager, describe_count
from ctms.records.lists.query import (
    COLUMNS,
    CURSOR,
    GROUP,
    QUERY,
    SIZE,
    SORT,
    VIEW,
    FoundRecords,
    ListQuery,
    can_sort,
    change_parameters,
    write_columns,
)
from ctms.records.lists.rows.group_headings import GroupHeadings
from ctms.records.lists.rows.tables import Heading, Line, RecordTable
from ctms.records.lists.rows.today import find_today
from ctms.records.lists.saved_views import ALL, is_changed, list_views
from ctms.records.models import ListPreference, SavedView


class ListPage:
    """The page of a list. It reads the records at once, and the rest when the template asks for it."""

    def __init__(self, *, listed: ListQuery, preference: ListPreference) -> None:
        self.listed, self.preference = listed, preference
        self.access = listed.access
        self.columns = choose_columns(listed=listed, preference=preference)
        self.size = choose_size(listed=listed, preference=preference)
        found = listed.look_around()
        # The number of records, at most `COUNT_CAP` + 1.
        self.total = found.number
        self.today, self.grouping = find_today(listed), listed.sort.grouping
        self.page, self._cursor_problem = self._read_page(found)
        self.table = RecordTable(
            access=self.access,
            rows=self.page.rows,
            columns=[(field, self._build_heading(field)) for field in self.columns],
            lines=self._draw_lines(found.records),
        )

    @property
    def vault_object(self) -> VaultObject:
        return self.access.vault_object

    @property
    def url(self) -> str:
        """Return the URL of the list without parameters."""
        return get_object_url("record_list", self.access.shape.api_name)

    # -- Head: count, views, actions ------------------------------------------------------------------------------

    @property
    def count_text(self) -> str:
        return describe_count(self.total)

    @cached_property
    def views(self) -> list[SavedView]:
        """Return the views that the user may open, own ones first."""
        return list_views(user=self.access.user, object_name=self.access.shape.api_name)

    @property
    def links(self) -> list[Link]:
        """Return what other apps link to."""
        return build_list_links(self)

    @cached_property
    def view(self) -> SavedView | None:
        """Return the view that the list was opened with; None if there is none."""
        uid = self.listed.parameters.get(VIEW, "")
        return next((each for each in self.views if str(each.uid) == uid), None)

    @property
    def is_own_view(self) -> bool:
        return self.view is not None and self.view.user_id == self.access.user.pk

    @property
    def is_view_changed(self) -> bool:
        """Whether the list differs from the view that it was opened with."""
        return self.view is not None and is_changed(
            view=self.view, parameters=self.listed.parameters, columns=[each.api_name for each in self.columns]
        )

    @property
    def own_views(self) -> list[Link]:
        return [self._build_view_link(each) for each in self.views if each.user_id == self.access.user.pk]

    @property
    def shared_views(self) -> list[Link]:
        return [self._build_view_link(each) for each in self.views if each.user_id != self.access.user.pk]

    @property
    def delivered_views(self) -> list[Link]:
        """Return the views of the object that everybody has."""
        present = self.query
        return [
            Link(label=each.name, url=f"{self.url}?{each.parameters}", is_current=present == each.parameters)
            for each in self.vault_object.views
        ]

    @property
    def open_view(self) -> str:
        """Return the name of the view that is open, delivered or saved; empty if there is none."""
        current = next((each.label for each in self.delivered_views if each.is_current), "")
        return self.view.name if self.view else current

    @property
    def all_url(self) -> str:
        """Return the URL of the unfiltered list; explicit if the user's list opens with a view by default."""
        return f"{self.url}?{VIEW}={ALL}" if self.preference.default_view_id else self.url

    @property
    def create_url(self) -> str:
        """Return the URL to create a record; empty if the user cannot."""
        return get_object_url("record_create", self.access.shape.api_name) if self.access.can_create() else ""

    @property
    def import_url(self) -> str:
        may = self.access.can_create() or self.access.allows("edit")
        return get_object_url("record_import", self.access.shape.api_name) if may else ""

    @property
    def exports(self) -> list[Link]:
        """Return links to export the list: the same records, order and columns."""
        shown = change_parameters(self.listed.parameters, columns=write_columns(self.columns), size=None)
        return [
            Link(
                label=label, url=self._build_url("record_export", file_format, parameters=shown), note=f".{file_format}"
            )
            for file_format, label in (("xlsx", "Excel workbook"), ("csv", "Plain table"))
        ]

    # -- Search and filters ---------------------------------------------------------------------------------------

    @property
    def search_state(self) -> list[tuple[str, str]]:
        """Return the parameters that a new search keeps."""
        return self._list_state(**{QUERY: None})

    @cached_property
    def active_filters(self) -> list[ActiveFilter]:
        return [
            ActiveFilter(
                field_name=each.path,
                label=each.label,
                text=each.text,
                edit_url=self._build_url("record_filter", each.path) if each.path else self.filters_url,
                remove_url=self._list_url(**dict.fromkeys(each.parameters)),
            )
            for each in self.listed.filters.list_active()
        ]

    @property
    def filters_url(self) -> str:
        """Return the URL of the form of all conditions, with their groups."""
        return self._build_url("record_filters")

    @property
    def clear_url(self) -> str:
        """Return the URL of the list without filters and search, but with the same order, page size and columns."""
        kept = {name: values for name, values in self.listed.parameters.lists() if name in (SORT, GROUP, SIZE, COLUMNS)}
        cleared = QueryDict(mutable=True)
        for name, values in kept.items():
            cleared.setlist(name, values)
        if not cleared and self.preference.default_view_id:
            cleared[VIEW] = ALL
        return f"{self.url}?{cleared.urlencode()}" if cleared else self.url

    @cached_property
    def offered_filters(self) -> SafeString:
        """Return the menu entries of the filters that the object suggests first."""
        names = self.vault_object.filters
        return self._render_filters(self.access.shape.fields[name] for name in names if name in self._filterable)

    @cached_property
    def other_filters(self) -> SafeString:
        """Return the menu entries of all other filters, by label."""
        others = [each for name, each in self._filterable.items() if name not in self.vault_object.filters]
        return self._render_filters(sorted(others, key=lambda each: each.label.casefold()))

    @cached_property
    def _filterable(self) -> dict[str, ObjectField]:
        return {each.api_name: each for each in list_filterable_fields(self.access)}

    @cached_property
    def problems(self) -> list[ListProblem]:
        """Return the parameters of the address that are not valid."""
        found = self.listed.problems | self._cursor_problem
        if self.listed.parameters.get(VIEW, ALL) != ALL and self.view is None:
            found = found | {VIEW: ["This view was deleted, or is not shared with you."]}
        return [
            ListProblem(name=self._name_parameter(name), texts=texts, remove_url=self._list_url(**{name: None}))
            for name, texts in found.items()
        ]

    def _name_parameter(self, name: str) -> str:
        return self.listed.filters.name_parameter(name)

    # -- Columns --------------------------------------------------------------------------------------------------

    @property
    def columns_url(self) -> str:
        """Return the URL that saves the user's columns and comes back to this list."""
        return self._build_url("record_columns")

    @property
    def column_choices(self) -> SafeString:
        """Return the entries of the menu for every field except the one that leads, which is always shown."""
        chosen, lead = {each.api_name for each in self.columns}, get_lead(self.access.shape)
        fields = list_choosable(shape=self.access.shape, chosen=self.columns)
        return render_column_choices((each, each.api_name in chosen) for each in fields if each.api_name != lead)

    # -- Empty list -----------------------------------------------------------------------------------------------

    @property
    def empty_title(self) -> str:
        return f"No {self.vault_object.plural_label} yet"

    @property
    def empty_text(self) -> str:
        """Return the object's description, for users who see no record of it yet."""
        return self.vault_object.description or f"There are no {self.vault_object.plural_label} that you can see."

    @property
    def create_label(self) -> str:
        return f"Create {self.vault_object.label}"

    # -- Rows -----------------------------------------------------------------------------------------------------

    @property
    def bulk_url(self) -> str:
        """Return the URL that edits the chosen rows, or all records of the list."""
        return self._build_url("record_bulk")

    @property
    def hand_over_url(self) -> str:
        """Return the URL that hands the chosen rows over; empty if records of the object have no owner."""
        return self._build_url("record_hand_over_many") if OWNER in self.vault_object.fields else ""

    @cached_property
    def query(self) -> str:
        """Return the query string of this list, for actions on all records that match."""
        return change_parameters(self.listed.parameters).urlencode()

    @property
    def sorts(self) -> SafeString:
        """Return menu entries that sort the list, also for phones, where there is no room for headings."""
        return render_sort_links([each.heading for each in self.table.columns])

    @cached_property
    def groupings(self) -> SafeString:
        """Return menu entries that group the list by a column."""
        offered = [each for field in self.columns for each in list_groupings(access=self.access, field=field)]
        return render_group_links(
            (describe_grouping(each), self._list_url(**{GROUP: each.name}), each == self.grouping) for each in offered
        )

    @property
    def grouping_text(self) -> str:
        return f"Grouped by {describe_grouping(self.grouping)}" if self.grouping else ""

    @property
    def ungroup_url(self) -> str:
        return self._list_url(**{GROUP: None})

    @property
    def density(self) -> str:
        return COMPACT if self.access.user.has_compact_lists else COMFORTABLE

    @property
    def densities(self) -> list[tuple[str, str]]:
        """Return the densities to choose from, and the label of each."""
        return [(each, each.capitalize()) for each in DENSITIES]

    @cached_property
    def pager(self) -> Pager:
        return Pager(
            page=self.page,
            total=self.total,
            size=self.size,
            opens_on_today=self.today is not None,
            has_today=self.has_today,
            has_cursor=CURSOR in self.listed.parameters,
            build_url=self._list_url,
        )

    def _read_page(self, found: FoundRecords) -> tuple[Page, dict[str, list[str]]]:
        fields = [*self.columns, *([self.grouping.field] if self.grouping else [])]
        records = select_references(records=found.records, fields=fields)
        cursor = self.listed.parameters.get(CURSOR, "")
        if self.today is not None and not cursor:
            return self.today.open_page(records=records, size=self.size, many=found.many), {}
        cut = partial(cut_page, records=records, sort=self.listed.sort, size=self.size, many=found.many)
        try:
            return cut(cursor="" if cursor == FIRST else cursor), {}
        except InvalidCursorError as error:
            return cut(), {CURSOR: [str(error)]}

    def _draw_lines(self, records: QuerySet[Any]) -> dict[int, list[Line]]:
        lines: dict[int, list[Line]] = {}
        row = self.today.find_line(self.page) if self.today is not None else None
        self.has_today = row is not None
        if self.today is not None and row is not None:
            lines[row] = [self.today.draw()]
        if self.grouping is not None:
            headings = GroupHeadings(listed=self.listed, grouping=self.grouping, build_url=self._list_url)
            for index, heading in headings.draw(page=self.page, records=records).items():
                lines.setdefault(index, []).append(heading)
        return lines

    def _build_heading(self, field: ObjectField) -> Heading:
        if not can_sort(access=self.access, field=field):
            return Heading(label=field.label)
        sort = self.listed.sort
        is_current = sort.field is not None and sort.field.api_name == field.api_name
        descending = not sort.descending if is_current else kind_of(field).is_newest_first
        direction = ("descending" if sort.descending else "ascending") if is_current else ""
        target = Sort(field=field, descending=descending)
        return Heading(label=field.label, url=self._list_url(**{SORT: target.name}), direction=direction)

    def _build_view_link(self, view: SavedView) -> Link:
        is_default = self.preference.default_view_id == view.pk
        author = "" if view.user_id == self.access.user.pk else str(view.user)
        shared = "Shared" if view.is_shared and not author else ""
        return Link(
            label=view.name,
            url=f"{self.url}?{VIEW}={view.uid}",
            note=" · ".join(filter(None, (author, shared, "Default" if is_default else ""))),
            is_current=self.view is not None and self.view.pk == view.pk,
        )

    def _render_filters(self, fields: Iterable[ObjectField]) -> SafeString:
        return SafeString(
            "\n".join(
                [
                    render_filter_link(label=each.label, url=self._build_url("record_filter", each.api_name))
                    for each in fields
                ]
            )
        )

    def _list_state(self, **changes: Any) -> list[tuple[str, str]]:
        changed = change_parameters(self.listed.parameters, **changes)
        return [(name, value) for name, values in changed.lists() for value in values]

    def _list_url(self, **changes: Any) -> str:
        query = change_parameters(self.listed.parameters, **changes).urlencode()
        if not query and self.preference.default_view_id:
            query = f"{VIEW}={ALL}"
        return f"{self.url}?{query}" if query else self.url

    def _build_url(self, name: str, *arguments: str, parameters: QueryDict | None = None) -> str:
        query = self.query if parameters is None else parameters.urlencode()
        address = get_object_url(name, self.access.shape.api_name, *arguments)
        return f"{address}?{query}" if query else address
