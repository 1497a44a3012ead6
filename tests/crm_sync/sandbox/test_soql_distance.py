"""Addresses and locations: their values, and DISTANCE."""

# ruff: noqa: S608  SOQL under test

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.data.compounds import measure_distance
from crm_sync.sandbox.data.schema_files import read_schema
from tests.crm_sync.sandbox.conftest import Api, describe_error, serve

LISBON = "GEOLOCATION(38.7223, -9.1393)"
CITIES = {"Lisbon": (38.7223, -9.1393), "Porto": (41.1579, -8.6291), "Madrid": (40.4168, -3.7038), "Nowhere": None}
SHORT = """
Depot__c:
  label: Depot
  fields:
    Place__c: {type: location, scale: 6}
"""


@pytest.fixture
def cities(standard: Api) -> dict[str, str]:
    """Create an account in each city. Return ids by city."""
    return {
        city: standard.create(
            "Account",
            Name=city,
            BillingCity=city,
            **({"BillingLatitude": place[0], "BillingLongitude": place[1]} if place else {}),
        )
        for city, place in CITIES.items()
    }


@pytest.fixture
def depots(tmp_path: Path) -> Iterator[Api]:
    """An organisation with an object that has a location."""
    (tmp_path / "depots.yaml").write_text(SHORT)
    yield from serve(RunningSandbox(schema=read_schema(["standard", str(tmp_path / "depots.yaml")])))


def test_distances_are_those_over_the_surface_of_the_earth() -> None:
    # A quarter of a meridian, by the mean radius of the earth.
    assert measure_distance(0, 0, 90, 0, "km") == pytest.approx(10_007.557, abs=0.01)
    assert measure_distance(0, 179.5, 0, -179.5, "mi") == pytest.approx(69.0936, abs=0.001)
    assert measure_distance(None, 0, 0, 0, "km") is None


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (f"DISTANCE(BillingAddress, {LISBON}, 'km') < 280", ["Lisbon", "Porto"]),
        (f"DISTANCE(BillingAddress, {LISBON}, 'mi') < 280", ["Lisbon", "Porto"]),
        (f"DISTANCE(BillingAddress, {LISBON}, 'mi') < 100.5", ["Lisbon"]),
        (f"distance(a.billingaddress, {LISBON}, 'km') > 280", ["Madrid"]),
        (f"DISTANCE(BillingAddress, {LISBON}, 'km') > 0.5 AND Name LIKE 'P%'", ["Porto"]),
        (f"NOT DISTANCE(BillingAddress, {LISBON}, 'km') < 280", ["Madrid", "Nowhere"]),
        ("DISTANCE(BillingAddress, ShippingAddress, 'km') < 280", []),
    ],
)
def test_conditions_find_what_is_near_or_far(
    standard: Api, cities: dict[str, str], condition: str, found: list[str]
) -> None:
    assert standard.list_values(f"SELECT Name FROM Account a WHERE {condition} ORDER BY Name") == found


def test_records_are_ordered_by_distance(standard: Api, cities: dict[str, str]) -> None:
    order = f"SELECT Name FROM Account ORDER BY DISTANCE(BillingAddress, {LISBON}, 'km')"
    assert standard.list_values(order) == ["Nowhere", "Lisbon", "Porto", "Madrid"]
    assert standard.list_values(f"{order} DESC NULLS LAST LIMIT 2") == ["Madrid", "Porto"]
    standard.create("Contact", LastName="Silva", AccountId=cities["Madrid"])
    near = "SELECT LastName FROM Contact WHERE DISTANCE(Account.BillingAddress, GEOLOCATION(40, -4), 'km') < 60"
    assert standard.list_values(near) == ["Silva"]


def test_a_distance_may_be_selected(standard: Api, cities: dict[str, str]) -> None:
    distance = f"DISTANCE(BillingAddress, {LISBON}, 'km')"
    [record] = standard.query(f"SELECT {distance}, {distance} away FROM Account WHERE Name = 'Porto'")["records"]
    assert record["expr0"] == record["away"] == pytest.approx(274.2, abs=1)


def test_an_address_is_one_value(standard: Api, cities: dict[str, str]) -> None:
    identifier = cities["Lisbon"]
    address = {
        "city": "Lisbon",
        "country": None,
        "geocodeAccuracy": None,
        "latitude": 38.7223,
        "longitude": -9.1393,
        "postalCode": None,
        "state": None,
        "street": None,
    }
    condition = f"FROM Account WHERE Id = '{identifier}'"
    [record] = standard.query(f"SELECT BillingAddress, ShippingAddress {condition}")["records"]
    assert (record["BillingAddress"], record["ShippingAddress"]) == (address, None)
    [everything] = standard.query(f"SELECT FIELDS(ALL) {condition} LIMIT 1")["records"]
    retrieved = standard.get(f"/sobjects/Account/{identifier}").json()
    assert everything["BillingAddress"] == retrieved["BillingAddress"] == address
    chosen = standard.get(f"/sobjects/Account/{identifier}", params={"fields": "BillingAddress"}).json()
    assert chosen["BillingAddress"] == address
    standard.create("Contact", LastName="Silva", AccountId=identifier)
    [contact] = standard.query("SELECT Account.BillingAddress FROM Contact")["records"]
    assert contact["Account"]["BillingAddress"] == address


def test_compounds_are_described_and_not_written(standard: Api, cities: dict[str, str]) -> None:
    described = {field["name"]: field for field in standard.get("/sobjects/Account/describe").json()["fields"]}
    address = described["BillingAddress"]
    assert (address["type"], address["soapType"], address["queryByDistance"]) == ("address", "urn:address", True)
    refused_uses = ("createable", "sortable", "groupable", "defaultedOnCreate")
    assert [name for name in refused_uses if address[name]] == []
    assert described["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert described["Name"]["compoundFieldName"] is None
    refused = standard.patch(f"/sobjects/Account/{cities['Porto']}", json={"billingaddress": {"city": "Faro"}})
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert refused.json()[0]["fields"] == ["BillingAddress"]


@pytest.mark.parametrize(("part", "most"), [("BillingLatitude", 90), ("BillingLongitude", 180)])
def test_coordinates_are_degrees(standard: Api, part: str, most: int) -> None:
    standard.create("Account", Name="Pole", **{part: -most})
    for value in (most + 0.001, str(-most - 1)):
        refused = standard.post("/sobjects/Account", json={"Name": "Beyond", part: value})
        assert describe_error(refused) == (400, "NUMBER_OUTSIDE_VALID_RANGE")


def test_a_location_of_a_file_has_two_parts(depots: Api) -> None:
    depots.create("Depot__c", Name="A", Place__Latitude__s=38.7, Place__Longitude__s=-9.1)
    depots.create("Depot__c", Name="B")
    near = f"SELECT Place__c FROM Depot__c WHERE DISTANCE(Place__c, {LISBON}, 'km') < 10"
    assert depots.list_values(near) == [{"latitude": 38.7, "longitude": -9.1}]
    assert depots.list_values("SELECT Place__c FROM Depot__c WHERE Name = 'B'") == [None]
    described = {field["name"]: field for field in depots.get("/sobjects/Depot__c/describe").json()["fields"]}
    assert described["Place__c"]["type"] == "location"
    part = described["Place__Latitude__s"]
    assert (part["compoundFieldName"], part["scale"], part["custom"]) == ("Place__c", 6, True)


def test_a_location_of_metadata_has_two_parts(tmp_path: Path) -> None:
    path = tmp_path / "Depot__c.object"
    field = "<fullName>Place__c</fullName><label>Place</label><type>Location</type><scale>5</scale>"
    path.write_text(f"<CustomObject><label>Depot</label><fields>{field}</fields></CustomObject>")
    depot = read_schema([str(path)])["Depot__c"]
    assert depot.compounds[0].components == (("latitude", "Place__Latitude__s"), ("longitude", "Place__Longitude__s"))
    assert [depot.by_lower_name[f"place__{part}__s"].scale for part in ("latitude", "longitude")] == [5, 5]


def test_what_describe_answers_is_read_back(depots: Api, tmp_path: Path) -> None:
    names = ("Account", "Depot__c")
    described = [depots.get(f"/sobjects/{name}/describe").json() for name in names]
    path = tmp_path / "described.json"
    path.write_text(json.dumps(described))
    schema = read_schema([str(path)])
    for name in names:
        known = depots.sandbox.organisation.schema[name]
        assert set(schema[name].compounds) == set(known.compounds)
        assert {each.name for each in schema[name].fields} == {each.name for each in known.fields}


def test_an_address_without_parts_is_refused(tmp_path: Path) -> None:
    for kind, field in (("parts", "{type: address}"), ("whole", "{type: address}\n    Odd__c: {compoundFieldName: X}")):
        path = tmp_path / f"{kind}.yaml"
        path.write_text(f"T__c:\n  fields:\n    X: {field}\n")
        with pytest.raises(ValueError, match=r"X: (an address needs fields|Odd__c is no part of an address)"):
            read_schema([str(path)])


@pytest.mark.parametrize(
    ("clause", "code", "words"),
    [
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'km') = 5", "INVALID_QUERY_FILTER_OPERATOR", "operators < and >"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'km') <= 5", "INVALID_QUERY_FILTER_OPERATOR", "operators < and >"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'km') IN (5)", "INVALID_QUERY_FILTER_OPERATOR", "operators"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'km') < '5'", "INVALID_FIELD", "must be of type double"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'km') < null", "INVALID_FIELD", "must be of type double"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}, 'yd') < 5", "MALFORMED_QUERY", "'mi' or 'km'"),
        (f"WHERE DISTANCE(BillingAddress, {LISBON}) < 5", "MALFORMED_QUERY", "DISTANCE takes"),
        (f"WHERE DISTANCE({LISBON}, BillingAddress, 'km') < 5", "MALFORMED_QUERY", "first argument"),
        (f"WHERE DISTANCE(Name, {LISBON}, 'km') < 5", "INVALID_FIELD", "'Name' of type string"),
        (f"WHERE DISTANCE(Foo, {LISBON}, 'km') < 5", "INVALID_FIELD", "No such column 'Foo'"),
        ("WHERE DISTANCE(BillingAddress, GEOLOCATION(91, 0), 'km') < 5", "INVALID_FIELD", "from -90 to 90"),
        ("WHERE DISTANCE(BillingAddress, GEOLOCATION(1, -181), 'km') < 5", "INVALID_FIELD", "from -180 to 180"),
        ("WHERE DISTANCE(BillingAddress, GEOLOCATION(1), 'km') < 5", "MALFORMED_QUERY", "GEOLOCATION takes"),
        ("WHERE DISTANCE(BillingAddress, GEOLOCATION('1', 2), 'km') < 5", "MALFORMED_QUERY", "GEOLOCATION takes"),
        ("WHERE DISTANCE(BillingAddress, COUNT(Id), 'km') < 5", "MALFORMED_QUERY", "GEOLOCATION"),
        ("WHERE DISTANCE(BillingAddress, 5, 'km') < 5", "MALFORMED_QUERY", "GEOLOCATION"),
        ("WHERE GEOLOCATION(1, 2) < 5", "MALFORMED_QUERY", "unexpected token: 'GEOLOCATION'"),
        ("WHERE DAY_ONLY('x') < 5", "MALFORMED_QUERY", "unexpected token: ''x''"),
        ("WHERE BillingAddress = null", "INVALID_FIELD", "field 'BillingAddress' can not be filtered"),
        ("ORDER BY BillingAddress", "INVALID_FIELD", "field 'BillingAddress' can not be sorted"),
        ("GROUP BY BillingAddress", "MALFORMED_QUERY", "can not be grouped"),
        (f"GROUP BY DISTANCE(BillingAddress, {LISBON}, 'km')", "MALFORMED_QUERY", "unexpected token"),
    ],
)
def test_misuse_is_refused(standard: Api, clause: str, code: str, words: str) -> None:
    selected = "COUNT(Id)" if clause.startswith("GROUP") else "Id"
    response = standard.get("/query", params={"q": f"SELECT {selected} FROM Account {clause}"})
    assert describe_error(response) == (400, code)
    assert words in response.json()[0]["message"]


def test_bulk_queries_take_no_compounds(standard: Api) -> None:
    for query in ("SELECT BillingAddress FROM Account", "SELECT Account.BillingAddress FROM Contact"):
        refused = standard.post("/jobs/query", json={"operation": "query", "query": query})
        assert refused.status_code == 400
        assert "Selecting compound data not supported in Bulk Query" in refused.text
    query = f"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, {LISBON}, 'km') < 5"
    assert standard.post("/jobs/query", json={"operation": "query", "query": query}).status_code == 200
