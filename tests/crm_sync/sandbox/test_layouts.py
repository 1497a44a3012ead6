"""Layouts and compact layouts, which follow from the fields of an object."""

from typing import Any

from tests.crm_sync.sandbox.conftest import Api, describe_error

MASTER = "012000000000000AAA"


def list_values(sections: list[dict[str, Any]]) -> list[str]:
    """Return the fields of layout sections in order."""
    return [
        component["value"]
        for section in sections
        for row in section["layoutRows"]
        for item in row["layoutItems"]
        for component in item["layoutComponents"]
    ]


def test_a_layout_has_every_field_of_its_object(standard: Api) -> None:
    answer = standard.get("/sobjects/Contact/describe/layouts/").json()
    [layout] = answer["layouts"]
    information, system = layout["detailLayoutSections"]
    fields = list_values([information])
    described = {field["name"]: field for field in standard.get("/sobjects/Contact/describe").json()["fields"]}
    compounds = {name for name, field in described.items() if field["type"] == "address"}
    hidden = {"Id", "IsDeleted", "SystemModstamp", "CreatedDate", "LastModifiedDate"}
    assert set(fields) | set(list_values([system])) == set(described) - hidden - compounds
    assert list_values([system]) == ["OwnerId", "CreatedById", "LastModifiedById"]
    first = information["layoutRows"][0]["layoutItems"]
    assert len(first) == information["columns"] == 2
    name = next(
        item
        for row in information["layoutRows"]
        for item in row["layoutItems"]
        if item["layoutComponents"][0]["value"] == "LastName"
    )
    assert (name["required"], name["editableForNew"], name["label"]) == (True, True, "Last Name")
    assert name["layoutComponents"][0]["details"] == described["LastName"]
    assert information["parentLayoutId"] == system["parentLayoutId"] == layout["id"]


def test_related_lists_are_those_of_the_child_relationships(standard: Api) -> None:
    [layout] = standard.get("/sobjects/Account/describe/layouts").json()["layouts"]
    related = {(each["sobject"], each["field"]): each for each in layout["relatedLists"]}
    described = standard.get("/sobjects/Account/describe").json()["childRelationships"]
    assert set(related) == {(each["childSObject"], each["field"]) for each in described}
    contacts = related[("Contact", "AccountId")]
    assert (contacts["name"], contacts["label"], contacts["columns"][0]["fieldApiName"]) == (
        "Contacts",
        "Contacts",
        "Name",
    )


def test_every_object_has_a_layout_for_its_record_type(standard: Api) -> None:
    layouts = set()
    for listed in standard.get("/sobjects").json()["sobjects"]:
        answer = standard.session.get(standard.sandbox.base_url + listed["urls"]["layouts"], timeout=30).json()
        [mapping] = answer["recordTypeMappings"]
        [layout] = answer["layouts"]
        assert (mapping["recordTypeId"], mapping["layoutId"]) == (MASTER, layout["id"])
        found = standard.session.get(standard.sandbox.base_url + mapping["urls"]["layout"], timeout=30)
        assert found.json() == layout
        layouts.add(layout["id"])
        compact = standard.session.get(standard.sandbox.base_url + listed["urls"]["compactLayouts"], timeout=30)
        assert compact.json()["compactLayouts"][0]["objectType"] == listed["name"]
    assert len(layouts) == len(standard.sandbox.organisation.schema.objects)


def test_compact_layouts_begin_with_the_name(standard: Api) -> None:
    answer = standard.get("/sobjects/Case/describe/compactLayouts").json()
    [layout] = answer["compactLayouts"]
    assert (layout["name"], answer["defaultCompactLayoutId"]) == ("SYSTEM", None)
    values = [item["layoutComponents"][0]["value"] for item in layout["fieldItems"]]
    assert values == ["CaseNumber", "ContactId", "AccountId", "ParentId"]
    [mapping] = answer["recordTypeCompactLayoutMappings"]
    for address in (answer["urls"]["primary"], mapping["urls"]["compactLayout"]):
        assert standard.session.get(standard.sandbox.base_url + address, timeout=30).json() == layout
    several = standard.get("/compactLayouts", params={"q": "case, Account"}).json()
    assert list(several) == ["Case", "Account"]
    assert several["Case"] == layout
    assert standard.get("/").json()["compactLayouts"].endswith("/compactLayouts")


def test_what_is_not_there_is_not_found(standard: Api) -> None:
    for path in (
        "/sobjects/Nothing/describe/layouts",
        "/sobjects/Account/describe/layouts/012000000000001AAA",
        "/sobjects/Account/describe/compactLayouts/012000000000001AAA",
        "/sobjects/Account/describe/nothing",
        "/compactLayouts?q=Nothing",
    ):
        assert describe_error(standard.get(path)) == (404, "NOT_FOUND"), path
    assert describe_error(standard.get("/compactLayouts")) == (400, "ILLEGAL_QUERY_PARAMETER_VALUE")
