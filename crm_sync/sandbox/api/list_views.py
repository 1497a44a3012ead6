"""List views: `/sobjects/X/listviews`. Each object has three: all records, those of the user, and the recently viewed.

Source: "List Views" of the REST API Developer Guide. Their queries are run as any other, with `USING SCOPE`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crm_sync.sandbox.api.recent import read_limit
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.ids import build_id, normalise_id
from crm_sync.sandbox.data.recent import list_recent_ids, note_recent
from crm_sync.sandbox.data.timestamps import parse_datetime
from crm_sync.sandbox.errors import not_found
from crm_sync.sandbox.service import ApiRequest, ApiResponse

LIST_VIEW_PREFIX = "00B"
MAX_RESULTS = 2_000
DEFAULT_RESULTS = 25
MAX_COLUMNS = 5
# Columns that every list view selects and does not show.
HIDDEN_COLUMNS = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp")
UNSHOWN_TYPES = frozenset({"id", "reference", "textarea", "datetime", "boolean"})
SORT_LABELS = {
    **dict.fromkeys(("picklist", "multipicklist"), ("Low to High", "High to Low")),
    **dict.fromkeys(("phone", "double", "int", "long", "currency", "percent"), ("9-0", "0-9")),
    "date": ("New to Old", "Old to New"),
}


@dataclass(frozen=True, slots=True)
class ListView:
    """A list view of an object. `scope` is that of its query, empty for all records."""

    id: str
    sobject: SObject
    developer_name: str
    label: str
    scope: str


def build_views(request: ApiRequest, sobject: SObject) -> list[ListView]:
    """Return the list views of an object."""
    organisation = request.organisation
    plural = sobject.label_plural
    bare = "".join(word.title() if word.islower() else word for word in plural.split())
    kinds = [("All", f"All {plural}", ""), ("RecentlyViewed", f"Recently Viewed {plural}", "mru")]
    if sobject.find_field("OwnerId"):
        kinds.append(("My", f"My {plural}", "mine"))
    first = 1 + organisation.schema.objects.index(sobject) * 3
    return [
        ListView(
            build_id(key_prefix=LIST_VIEW_PREFIX, pod=organisation.pod, number=first + offset),
            sobject,
            f"{kind}{bare}",
            label,
            scope,
        )
        for offset, (kind, label, scope) in enumerate(kinds)
    ]


def find_view(request: ApiRequest, *, name: str, view_id: str) -> ListView:
    """Return a list view by its id. Raises ApiError `NOT_FOUND`."""
    wanted = normalise_id(view_id)
    for view in build_views(request, request.find_sobject(name)):
        if view.id == wanted:
            return view
    raise not_found()


def list_views(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/listviews."""
    sobject = request.find_sobject(name)
    return answer_views(request, sobject, build_views(request, sobject))


def list_recent_views(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/listviews/recent with those that the user described or ran, newest first."""
    sobject = request.find_sobject(name)
    views = {view.id: view for view in build_views(request, sobject)}
    used = list_recent_ids(request.organisation, user_id=request.user_id)
    return answer_views(request, sobject, [views[identifier] for identifier in used if identifier in views])


def answer_views(request: ApiRequest, sobject: SObject, views: list[ListView]) -> ApiResponse:
    """Return the answer with some list views."""
    return ApiResponse(
        {
            "done": True,
            "listviews": [describe_briefly(request, view) for view in views],
            "nextRecordsUrl": None,
            "size": len(views),
            "sobjectType": sobject.name,
        }
    )


def describe_briefly(request: ApiRequest, view: ListView) -> dict[str, Any]:
    """Return a list view with its addresses."""
    address = f"{request.base_path}/sobjects/{view.sobject.name}/listviews/{view.id}"
    return {
        "describeUrl": f"{address}/describe",
        "developerName": view.developer_name,
        "id": view.id,
        "label": view.label,
        "resultsUrl": f"{address}/results",
        "soqlCompatible": True,
        "url": address,
    }


def read_view(request: ApiRequest, *, name: str, view_id: str) -> ApiResponse:
    """Answer GET /sobjects/X/listviews/<id>."""
    return ApiResponse(describe_briefly(request, find_view(request, name=name, view_id=view_id)))


def describe_view(request: ApiRequest, *, name: str, view_id: str) -> ApiResponse:
    """Answer GET /sobjects/X/listviews/<id>/describe."""
    view = find_view(request, name=name, view_id=view_id)
    note_recent(request.organisation, user_id=request.user_id, record_ids=[view.id])
    order = [view.sobject.name_field.name, "Id"]
    return ApiResponse(
        {
            "columns": describe_columns(view.sobject),
            "id": view.id[:15],
            "orderBy": [
                {"fieldNameOrPath": each, "nullsPosition": "first", "sortDirection": "ascending"} for each in order
            ],
            "query": write_query(view),
            "scope": view.scope or None,
            "sobjectType": view.sobject.name,
            "whereCondition": {"conditions": [], "conjunction": "and"},
        }
    )


def write_query(view: ListView) -> str:
    """Return the query of a list view."""
    scope = f" USING SCOPE {view.scope}" if view.scope else ""
    selected = ", ".join(write_selected(field) for field, _ in list_columns(view.sobject))
    name = view.sobject.name_field.name
    return f"SELECT {selected} FROM {view.sobject.name}{scope} ORDER BY {name} ASC NULLS FIRST, Id ASC NULLS FIRST"  # noqa: S608  names of the schema


def list_columns(sobject: SObject) -> Iterator[tuple[Field, bool]]:
    """Return each column of an object's list views, and whether it is hidden: first its name, last the hidden ones."""
    yield sobject.name_field, False
    shown = [field for field in sobject.fields if field.type not in UNSHOWN_TYPES and not field.name_field]
    for field in shown[: MAX_COLUMNS - 1]:
        yield field, False
    for name in HIDDEN_COLUMNS:
        yield sobject.by_lower_name[name.lower()], True


def write_selected(field: Field) -> str:
    """Return how a column is selected: a picklist by its labels."""
    return f"toLabel({field.name})" if field.type == "picklist" else field.name


def describe_columns(sobject: SObject) -> list[dict[str, Any]]:
    """Return the descriptions of the columns of an object's list views."""
    described = []
    for field, hidden in list_columns(sobject):
        ascending, descending = (None, None) if hidden else SORT_LABELS.get(field.type, ("Z-A", "A-Z"))
        described.append(
            {
                "ascendingLabel": ascending,
                "descendingLabel": descending,
                "fieldNameOrPath": field.name,
                "hidden": hidden,
                "label": field.label,
                "selectListItem": write_selected(field),
                "sortDirection": "ascending" if field.name_field else None,
                "sortIndex": 0 if field.name_field else None,
                "sortable": not hidden,
                "type": field.type,
            }
        )
    return described


def read_results(request: ApiRequest, *, name: str, view_id: str) -> ApiResponse:
    """Answer GET /sobjects/X/listviews/<id>/results?limit=&offset= with the values of the columns as texts."""
    view = find_view(request, name=name, view_id=view_id)
    limit = read_limit(request, default=DEFAULT_RESULTS, most=MAX_RESULTS)
    offset = read_limit(request, name="offset", default=0, least=0, most=MAX_RESULTS)
    note_recent(request.organisation, user_id=request.user_id, record_ids=[view.id])
    found = request.make_runner().run(
        f"{write_query(view)} LIMIT {limit} OFFSET {offset}", include_deleted=False, batch_size=MAX_RESULTS
    )
    records = [
        {
            "columns": [
                {"fieldNameOrPath": field.name, "value": show_text(record[field.name])}
                for field, _ in list_columns(view.sobject)
            ]
        }
        for record in found["records"]
    ]
    return ApiResponse(
        {
            "columns": describe_columns(view.sobject),
            "developerName": view.developer_name,
            "done": True,
            "id": view.id[:15],
            "label": view.label,
            "records": records,
            "size": len(records),
        }
    )


def show_text(value: object) -> str | None:
    """Return a value as text, times such as `Fri Aug 01 21:15:46 GMT 2014`."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return moment.strftime("%a %b %d %H:%M:%S GMT %Y") if moment else str(value)
