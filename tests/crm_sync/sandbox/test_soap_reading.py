"""The SOAP API: queries, searches, records by id, descriptions, lists of changes."""

from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, control, log_in, measure_to_noon
from tests.crm_sync.sandbox.soap import SoapApi, describe_fault


def query(soap: SoapApi, soql: str, *, call: str = "query", header: str = "") -> Any:
    """Return the result of a query."""
    [result] = soap.call(f"<{call}><queryString>{soql}</queryString></{call}>", header=header)
    return result


def list_names(result: Any) -> list[str]:
    """Return the names of the records of a page."""
    records = result.get("records", [])
    return [record["Name"] for record in (records if isinstance(records, list) else [records])]


def test_a_record_is_written_as_in_the_partner_wsdl(soap: SoapApi) -> None:
    identifier = soap.create("Account", LastName="&lt;Silva &amp; Söhne&gt;")
    soap.create("Call2_vod__c", Account_vod__c=identifier)
    soql = "SELECT Id, Name, NPI_vod__c, IsDeleted, CreatedBy.LastName FROM Account"
    response = soap.post(f"<query><queryString>{soql}</queryString></query>")
    created = f"<sf:type>Account</sf:type><sf:Id>{identifier}</sf:Id><sf:Id>{identifier}</sf:Id>"
    user = '<sf:CreatedBy xsi:type="sf:sObject"><sf:type>User</sf:type><sf:Id xsi:nil="true"/>'
    assert response.text.partition("<soapenv:Body>")[2] == (
        '<queryResponse><result xsi:type="QueryResult"><done>true</done><queryLocator xsi:nil="true"/>'
        f'<records xsi:type="sf:sObject">{created}<sf:Name>&lt;Silva &amp; Söhne&gt;</sf:Name>'
        f'<sf:NPI_vod__c xsi:nil="true"/><sf:IsDeleted>false</sf:IsDeleted>{user}'
        f"<sf:LastName>{soap.sandbox.user.last_name}</sf:LastName></sf:CreatedBy></records><size>1</size></result>"
        "</queryResponse></soapenv:Body></soapenv:Envelope>"
    )


def test_children_and_missing_parents_are_within_their_record(soap: SoapApi) -> None:
    account = soap.create("Account", LastName="Silva")
    soap.create("Call2_vod__c", Account_vod__c=account)
    children = soap.sandbox.organisation.schema.list_references_to(soap.sandbox.organisation.schema["Account"])
    name = next(field.child_relationship for child, field in children if child.name == "Call2_vod__c")
    soql = f"SELECT Name, MasterRecord.Name, (SELECT Account_vod__c FROM {name}) FROM Account"  # noqa: S608
    result = query(soap, soql)
    record = result["records"]
    assert record["MasterRecord"] is None
    assert (record[name]["size"], record[name]["done"]) == ("1", "true")
    assert record[name]["records"]["Account_vod__c"] == account


def test_stamps_end_in_z_and_text_that_looks_like_one_does_not(soap: SoapApi) -> None:
    soap.create("Account", LastName="2012-07-12T17:49:01.000+0000")
    record = query(soap, "SELECT LastName, CreatedDate FROM Account")["records"]
    assert record["LastName"] == "2012-07-12T17:49:01.000+0000"
    assert record["CreatedDate"].endswith(".000Z")


def test_an_address_says_that_it_is_one(standard: Api) -> None:
    soap = SoapApi(standard.sandbox, log_in(standard.sandbox))
    soap.create("Contact", LastName="Silva", MailingCity="Porto")
    response = soap.post("<query><queryString>SELECT MailingAddress FROM Contact</queryString></query>")
    assert '<sf:MailingAddress xsi:type="address"><city>Porto</city>' in response.text


def test_characters_that_xml_cannot_hold_are_left_out(soap: SoapApi, api: Api) -> None:
    api.create("Account", LastName="a\ufffeb")
    assert list_names(query(soap, "SELECT Name FROM Account")) == ["ab"]


def test_groups_have_values_with_types(soap: SoapApi) -> None:
    soap.create("Account", LastName="Silva")
    response = soap.post(
        "<query><queryString>SELECT Name, COUNT(Id) n, MAX(CreatedDate) last FROM Account GROUP BY Name</queryString>"
        "</query>"
    )
    assert '<sf:type>AggregateResult</sf:type><sf:Id xsi:nil="true"/>' in response.text
    assert '<sf:Name xsi:type="xsd:string">Silva</sf:Name><sf:n xsi:type="xsd:int">1</sf:n>' in response.text
    assert '<sf:last xsi:type="xsd:dateTime">' in response.text
    assert query(soap, "SELECT COUNT() FROM Account") == {"done": "true", "queryLocator": None, "size": "1"}


def test_pages_are_fetched_by_their_locator(sandbox: RunningSandbox, soap: SoapApi) -> None:
    names = [f"{number:03}" for number in range(501)]
    sandbox.organisation.insert_records(object_name="Account", records=[{"LastName": name} for name in names])
    soql = "SELECT Name FROM Account ORDER BY Name"
    page = query(soap, soql)
    assert (page["done"], page["size"], len(page["records"])) == ("false", "501", 500)
    header = "<QueryOptions><batchSize>200</batchSize></QueryOptions>"
    page = query(soap, soql, header=header)
    found = list_names(page)
    sizes = [len(page["records"])]
    while page["done"] == "false":
        [page] = soap.call(f"<queryMore><queryLocator>{page['queryLocator']}</queryLocator></queryMore>")
        found += list_names(page)
        sizes.append(len(page["records"]))
    assert (found, sizes) == (names, [200, 200, 101])
    for locator in ("01g000000000001AAA-200", "nonsense", ""):
        fault = soap.post(f"<queryMore><queryLocator>{locator}</queryLocator></queryMore>")
        assert describe_fault(fault) == (
            500,
            "sf:INVALID_QUERY_LOCATOR",
            "INVALID_QUERY_LOCATOR: invalid query locator",
        )
    wrong = "<QueryOptions><batchSize>many</batchSize></QueryOptions>"
    assert describe_fault(soap.post("<getUserInfo/>", header=wrong)) == (
        500,
        "soapenv:Client",
        "'many' is not a valid value for the type xsd:int",
    )


def test_pages_can_be_short_and_lead_nowhere_as_over_rest(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.organisation.insert_records(object_name="Account", records=[{"LastName": name} for name in "abc"])
    sandbox.misbehaviour.add_rule(match={"object": "Account", "count": 1}, effect={"page_size": 2})
    page = query(soap, "SELECT Name FROM Account")
    assert (page["done"], list_names(page)) == ("false", ["a", "b"])
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"next_page": "missing"})
    page = query(soap, "SELECT Name FROM Account")
    assert (page["done"], page["queryLocator"]) == ("false", None)


@pytest.mark.parametrize(
    ("soql", "code", "fault"),
    [
        ("", "MALFORMED_QUERY", "MalformedQueryFault"),
        ("SELECT FROM", "MALFORMED_QUERY", "MalformedQueryFault"),
        ("SELECT Nothing FROM Account", "INVALID_FIELD", "InvalidFieldFault"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "InvalidSObjectFault"),
    ],
)
def test_queries_are_refused_with_the_fault_of_their_mistake(soap: SoapApi, soql: str, code: str, fault: str) -> None:
    response = soap.post(f"<query><queryString>{soql}</queryString></query>")
    assert describe_fault(response)[:2] == (500, f"sf:{code}")
    assert f'<sf:{fault} xsi:type="sf:{fault}"><sf:exceptionCode>{code}</sf:exceptionCode>' in response.text
    assert "<sf:row>" in response.text


def test_deleted_records_are_found_by_query_all_and_hidden_ones_by_nothing(soap: SoapApi, api: Api) -> None:
    deleted, hidden = (soap.create("Account", LastName=name) for name in "ab")
    api.delete(f"/sobjects/Account/{deleted}")
    control(soap.sandbox, "POST", f"records/{hidden}/hide")
    soql = "SELECT Name FROM Account"
    assert list_names(query(soap, soql)) == []
    assert list_names(query(soap, soql, call="queryAll")) == ["a"]


def test_searches_find_words(soap: SoapApi) -> None:
    soap.create("Account", LastName="Silva")
    search = "FIND {silva} IN NAME FIELDS RETURNING Account(Name)"
    [result] = soap.call(f"<search><searchString>{search}</searchString></search>")
    assert result["searchRecords"]["record"]["Name"] == "Silva"
    assert describe_fault(soap.post("<search/>"))[1] == "sf:MALFORMED_SEARCH"


# -- by id --------------------------------------------------------------------------------------------


def retrieve(fields: str, *identifiers: str) -> str:
    ids = "".join(f"<ids>{identifier}</ids>" for identifier in identifiers)
    return f"<retrieve><fieldList>{fields}</fieldList><sObjectType>Account</sObjectType>{ids}</retrieve>"


def test_records_are_retrieved_in_the_order_of_their_ids(soap: SoapApi) -> None:
    first, second, hidden = (soap.create("Account", LastName=name) for name in "abc")
    control(soap.sandbox, "POST", f"records/{hidden}/hide")
    found = soap.call(retrieve("Name, IsDeleted", second, "001000000000009AAA", hidden, first[:15]))
    assert [record and record["Name"] for record in found] == ["b", None, None, "a"]
    assert found[0]["IsDeleted"] == "false"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (retrieve("Nothing", "001000000000009AAA"), "INVALID_FIELD"),
        (retrieve("Id", "nonsense"), "MALFORMED_ID"),
        (retrieve("", "001000000000009AAA"), "MALFORMED_QUERY"),
        (retrieve("Id", *["001000000000009AAA"] * 2_001), "EXCEEDED_ID_LIMIT"),
        ("<retrieve><fieldList>Id</fieldList><sObjectType>No</sObjectType></retrieve>", "INVALID_TYPE"),
    ],
    ids=["field", "id", "no fields", "too many", "object"],
)
def test_a_retrieval_is_refused_as_a_whole(soap: SoapApi, call: str, code: str) -> None:
    assert describe_fault(soap.post(call))[:2] == (500, f"sf:{code}")


# -- descriptions and changes -------------------------------------------------------------------------


def test_objects_are_described_as_over_rest(soap: SoapApi, api: Api) -> None:
    [everything] = soap.call("<describeGlobal/>")
    assert (everything["encoding"], everything["maxBatchSize"]) == ("UTF-8", "200")
    expected = [each["name"] for each in api.get("/sobjects").json()["sobjects"]]
    assert [each["name"] for each in everything["sobjects"]] == expected
    [one] = soap.call("<describeSObject><sObjectType>account</sObjectType></describeSObject>")
    rest = api.get("/sobjects/Account/describe").json()
    assert [field["name"] for field in one["fields"]] == [field["name"] for field in rest["fields"]]
    assert (one["keyPrefix"], one["name"], one["createable"]) == ("001", "Account", "true")
    assert list(one) == sorted(one)
    assert "urls" not in one
    names = "<sObjectType>Account</sObjectType><sObjectType>Call2_vod__c</sObjectType>"
    both = soap.call(f"<describeSObjects>{names}</describeSObjects>")
    assert [each["name"] for each in both] == ["Account", "Call2_vod__c"]
    too_many = soap.post(f"<describeSObjects>{'<sObjectType>Account</sObjectType>' * 101}</describeSObjects>")
    assert describe_fault(too_many)[1] == "sf:EXCEEDED_ID_LIMIT"
    unknown = describe_fault(soap.post("<describeSObject><sObjectType>No</sObjectType></describeSObject>"))
    assert unknown[1] == "sf:INVALID_TYPE"
    assert "sObject type 'No' is not supported." in unknown[2]


def test_changes_are_listed_within_a_span(sandbox: RunningSandbox, soap: SoapApi, api: Api) -> None:
    sandbox.misbehaviour.clock_skew_seconds = measure_to_noon(sandbox)
    day = sandbox.organisation.read_clock().date().isoformat()
    kept, gone = (soap.create("Account", LastName=name) for name in "ab")
    api.delete(f"/sobjects/Account/{gone}")
    span = f"<startDate>{day}T11:00:00Z</startDate><endDate>{day}T13:00:00.000Z</endDate>"
    [updated] = soap.call(f"<getUpdated><sObjectType>Account</sObjectType>{span}</getUpdated>")
    assert updated == {"ids": kept, "latestDateCovered": updated["latestDateCovered"]}
    [deleted] = soap.call(f"<getDeleted><sObjectType>Account</sObjectType>{span}</getDeleted>")
    assert deleted["deletedRecords"]["id"] == gone
    assert deleted["deletedRecords"]["deletedDate"].startswith(f"{day}T12:0")
    assert all(deleted[name].endswith(".000Z") for name in ("earliestDateAvailable", "latestDateCovered"))
    backwards = f"<startDate>{day}T13:00:00Z</startDate><endDate>{day}T11:00:00Z</endDate>"
    refused = soap.post(f"<getUpdated><sObjectType>Account</sObjectType>{backwards}</getUpdated>")
    assert describe_fault(refused)[1] == "sf:INVALID_REPLICATION_DATE"
