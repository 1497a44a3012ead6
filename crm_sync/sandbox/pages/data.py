"""The lists and cells of the web pages, and the queries that read their records."""

# ruff: noqa: S608  SOQL, built from the schema's names, checked ids and escaped text

from dataclasses import dataclass
from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.schema import VENDOR, Schema
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.soql.answers import QueryRunner
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.translate import Translator

PAGE_SIZE = 50
RELATED_SIZE = 10


@dataclass(frozen=True, slots=True)
class Tab:
    """The list of one object: its address, the field paths of its columns and of its search, its text when empty."""

    slug: str
    object_name: str
    columns: tuple[str, ...]
    search: tuple[str, ...]
    empty: str

    @property
    def sobject(self) -> SObject:
        """The object whose records are listed."""
        return VENDOR[self.object_name]

    def fits(self, schema: Schema) -> bool:
        """Whether an organisation with this schema has the object as the vendor's package defines it."""
        found = schema.find(self.object_name)
        return found is not None and {field.name for field in self.sobject.fields} <= {
            field.name for field in found.fields
        }

    @property
    def label(self) -> str:
        """The name of the list."""
        return self.sobject.label_plural


TABS = (
    Tab(
        "accounts",
        "Account",
        ("Name", "PersonEmail", "External_ID_vod__c", "NPI_vod__c"),
        ("Name", "PersonEmail", "External_ID_vod__c", "NPI_vod__c"),
        "Accounts are the people calls are made to. Create them over the API.",
    ),
    Tab(
        "calls",
        "Call2_vod__c",
        (
            "Name",
            "Account_vod__r.Name",
            "Call_Date_vod__c",
            "Call_Channel_vod__c",
            "Status_vod__c",
            "Send_to_Vault_Clinical_vod__c",
        ),
        ("Name", "Account_vod__r.Name"),
        "Calls are logged by the field teams. Create one to send it to Vault Clinical.",
    ),
    Tab(
        "interactions",
        "Vault_Clinical_Interaction_vod__c",
        (
            "Name",
            "Subject_vod__c",
            "Account_vod__r.Name",
            "Interaction_Date_vod__c",
            "Channel_vod__c",
            "Status_vod__c",
            "Clinical_Study_vod__r.Name",
        ),
        ("Name", "Subject_vod__c", "Account_vod__r.Name", "Vault_External_ID_vod__c"),
        "Interactions arrive from Vault Clinical with the transfer.",
    ),
    Tab(
        "studies",
        "Clinical_Study_vod__c",
        ("Name", "Study_Name_vod__c", "Phase_vod__c", "Lifecycle_State_vod__c", "Status_vod__c"),
        ("Name", "Study_Name_vod__c", "Vault_External_ID_vod__c"),
        "Studies arrive from Vault Clinical with the transfer.",
    ),
    Tab(
        "sites",
        "Clinical_Site_vod__c",
        (
            "Name",
            "Site_Name_vod__c",
            "Clinical_Study_vod__r.Name",
            "Principal_Investigator_vod__c",
            "Lifecycle_State_vod__c",
            "Status_vod__c",
        ),
        ("Name", "Site_Name_vod__c", "Principal_Investigator_vod__c", "Clinical_Study_vod__r.Name"),
        "Sites arrive from Vault Clinical with the transfer.",
    ),
)
TABS_BY_OBJECT = {tab.object_name: tab for tab in TABS}


@dataclass(frozen=True, slots=True)
class Cell:
    """One value on a page: its label, its text, the address it links to, and the way it is drawn (`kind`)."""

    label: str
    text: str
    link: str = ""
    kind: str = "text"


def find_record_link(identifier: str) -> str:
    """Return the address of a record's page, or an empty string when its object has no pages."""
    sobject = VENDOR.find_by_id(identifier)
    tab = TABS_BY_OBJECT.get(sobject.name) if sobject else None
    return f"/{tab.slug}/{identifier}" if tab and normalise_id(identifier) else ""


def escape_soql(value: str) -> str:
    """Return text escaped for a quoted SOQL string after LIKE."""
    for character in ("\\", "'", "%", "_"):
        value = value.replace(character, f"\\{character}")
    return value


def run_page(
    service: Service, soql: str, *, limit: int, offset: int, include_deleted: bool = False
) -> tuple[list[dict[str, Any]], int]:
    """Return one page of a query's records, hidden ones included, and the number of all its records."""
    organisation = service.organisation
    runner = QueryRunner(organisation, service.cursors, "", organisation.admin.id)
    now = organisation.read_clock()
    translator = Translator(soql, organisation.schema, now, include_deleted=include_deleted, include_hidden=True)
    plan = translator.translate(parse_query(soql))
    total = runner.count_rows(plan)
    plan.limit, plan.offset = limit, offset
    return runner.shape_records(plan, runner.select_rows(plan, limit=limit)), total


def list_page(service: Service, tab: Tab, *, search: str, page: int) -> tuple[list[dict[str, Any]], int]:
    """Return one page of a list, newest first, and the number of all records that match `search`."""
    where = ""
    if search:
        pattern = f"'%{escape_soql(search)}%'"
        where = "WHERE " + " OR ".join(f"{path} LIKE {pattern}" for path in tab.search)
    references = [path.split(".")[0] + ".Id" for path in tab.columns if "." in path]
    paths = ", ".join(dict.fromkeys(["Id", *tab.columns, *references]))
    return run_page(
        service,
        f"SELECT {paths} FROM {tab.object_name} {where} ORDER BY CreatedDate DESC, Id DESC",
        limit=PAGE_SIZE,
        offset=(page - 1) * PAGE_SIZE,
    )


def show_moment(value: object) -> str:
    """Return a stored datetime as text."""
    return str(value)[:19].replace("T", " ") + " UTC"


def show_value(field: Field, value: object) -> tuple[str, str]:
    """Return a stored value as text, and the way it is drawn (the `kind` of a cell)."""
    if value is None or value == "":
        return "", "text"
    if field.type == "boolean":
        return ("Yes", "yes") if value else ("No", "no")
    if field.type == "picklist":
        return dict(field.picklist).get(str(value), str(value)), "badge"
    if field.type == "datetime":
        return show_moment(value), "text"
    if field.type == "url":
        # Another system sent the value: only web addresses may become links.
        return str(value), "link" if str(value).startswith(("https://", "http://")) else "text"
    return str(value), "code" if field.external_id or field.type == "id" else "text"


def make_cell(sobject: SObject, path: str, record: dict[str, Any]) -> Cell:
    """Return the cell of a record in a list's column."""
    relationship, _, name = path.rpartition(".")
    if relationship:
        reference = sobject.by_relationship[relationship.lower()]
        nested = record.get(relationship)
        if not nested:
            return Cell(reference.label, "")
        return Cell(reference.label, nested[name] or nested["Id"], find_record_link(nested["Id"]))
    field = sobject.by_lower_name[name.lower()]
    text, kind = show_value(field, record[name])
    link = find_record_link(record["Id"]) if field.name_field else ""
    return Cell(field.label, text or (record["Id"] if field.name_field else ""), link, kind)


def find_record(service: Service, tab: Tab, identifier: str, *, include_deleted: bool = False) -> dict[str, Any] | None:
    """Return a record with the names of the records it refers to, or None when it is missing."""
    sobject = tab.sobject
    normalised = normalise_id(identifier)
    if normalised is None:
        return None
    paths = [field.name for field in sobject.fields]
    paths += [f"{field.relationship}.Name" for field in sobject.fields if field.relationship]
    records, _ = run_page(
        service,
        f"SELECT {', '.join(paths)} FROM {sobject.name} WHERE Id = '{normalised}'",
        limit=1,
        offset=0,
        include_deleted=include_deleted,
    )
    return records[0] if records else None


def make_cells(sobject: SObject, record: dict[str, Any], *, system: bool) -> list[Cell]:
    """Return the cells of a record's page: its own fields, or with `system` the system fields."""
    cells = []
    for field in sobject.fields:
        kept = not field.custom and field.name not in {"Name", "FirstName", "LastName", "PersonEmail"}
        if kept is not system or field.name == "IsDeleted":
            continue
        if field.reference_to:
            nested = record.get(field.relationship)
            text = nested["Name"] if nested else ""
            cells.append(Cell(field.label.removesuffix(" ID"), text, find_record_link(record[field.name] or "")))
            continue
        text, kind = show_value(field, record[field.name])
        cells.append(Cell(field.label, text, text if kind == "link" else "", kind))
    return cells


def list_related(service: Service, sobject: SObject, identifier: str) -> list[dict[str, Any]]:
    """Return the newest records that refer to a record, by object, for the tables of its page."""
    related = []
    for child, reference in VENDOR.list_references_to(sobject):
        tab = TABS_BY_OBJECT[child.name]
        paths = [path for path in tab.columns if not path.startswith(f"{reference.relationship}.")]
        nested = [path.split(".")[0] + ".Id" for path in paths if "." in path]
        records, total = run_page(
            service,
            f"SELECT {', '.join(dict.fromkeys(['Id', *paths, *nested]))} FROM {child.name} "
            f"WHERE {reference.name} = '{identifier}' ORDER BY CreatedDate DESC, Id DESC",
            limit=RELATED_SIZE,
            offset=0,
        )
        if total:
            related.append(
                {
                    "label": child.label_plural,
                    "total": total,
                    "shown": len(records),
                    "headings": [make_cell(child, path, records[0]).label for path in paths],
                    "rows": [[make_cell(child, path, record) for path in paths] for record in records],
                }
            )
    return related
