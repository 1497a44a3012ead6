"""The SOAP API: create, update, upsert, delete, undelete, merge, and emptying the recycle bin."""

from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, control
from tests.crm_sync.sandbox.soap import SoapApi, describe_fault, list_codes, write_sobject
from tests.crm_sync.sandbox.test_recycle_bin import read_row

ALL_OR_NONE = "<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>"
ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"


def write_ids(call: str, *identifiers: str) -> str:
    """Return a call that takes ids."""
    return f"<{call}>{''.join(f'<ids>{identifier}</ids>' for identifier in identifiers)}</{call}>"


def outline(results: list[Any]) -> list[tuple[str, list[str]]]:
    """Return success and errors of each result."""
    return [(result["success"], list_codes(result)) for result in results]


def test_each_record_has_its_result(sandbox: RunningSandbox, soap: SoapApi) -> None:
    good, bad = write_sobject("Account", LastName="Silva"), write_sobject("Call2_vod__c")
    response = soap.post(f"<create>{good}{bad}</create>")
    [account] = sandbox.organisation.list_records(object_name="Account")
    assert response.status_code == 200
    assert response.text.partition("<soapenv:Body>")[2] == (
        f"<createResponse><result><id>{account['Id']}</id><success>true</success></result>"
        "<result><errors><fields>Account_vod__c</fields>"
        "<message>Required fields are missing: [Account_vod__c]</message>"
        '<statusCode>REQUIRED_FIELD_MISSING</statusCode></errors><id xsi:nil="true"/><success>false</success></result>'
        "</createResponse></soapenv:Body></soapenv:Envelope>"
    )


def test_all_or_none_writes_none_beside_a_refused_record(sandbox: RunningSandbox, soap: SoapApi) -> None:
    good, bad = write_sobject("Account", LastName="Silva"), write_sobject("Account", LastName="x" * 81)
    results = soap.call(f"<create>{good}{bad}</create>", header=ALL_OR_NONE)
    assert outline(results) == [("false", [ROLLED_BACK]), ("false", ["STRING_TOO_LONG"])]
    assert sandbox.organisation.count_records(object_name="Account") == 0
    wrong = "<AllOrNoneHeader><allOrNone>yes</allOrNone></AllOrNoneHeader>"
    fault = describe_fault(soap.post(f"<create>{good}</create>", header=wrong))
    assert fault == (500, "soapenv:Client", "'yes' is not a valid value for the type xsd:boolean")


def test_an_update_sets_what_is_given_and_empties_what_is_named(soap: SoapApi) -> None:
    identifier = soap.create("Account", LastName="Silva", NPI_vod__c="9", PersonEmail="a@example.org")
    [result] = soap.call(
        "<update><sObjects><type>Account</type><fieldsToNull>NPI_vod__c</fieldsToNull>"
        f"<Id>{identifier}</Id><Id>{identifier}</Id><FirstName>Ana</FirstName><PersonEmail/>"
        '<LastName xsi:nil="true"/></sObjects></update>'
    )
    assert result == {"id": identifier, "success": "true"}
    row = read_row(soap.sandbox, "Account", identifier)
    assert (row["Name"], row["NPI_vod__c"], row["PersonEmail"]) == ("Ana Silva", None, "a@example.org")


def test_updates_are_refused_one_by_one(soap: SoapApi) -> None:
    identifier = soap.create("Account", LastName="Silva")
    changes = [
        write_sobject("Account", NPI_vod__c="9"),
        write_sobject("Account", Id=identifier, NPI_vod__c="9"),
        write_sobject("Account", Id=identifier, NPI_vod__c="8"),
        write_sobject("Account", Id="001000000000009AAA", NPI_vod__c="9"),
        f"<sObjects><type>Account</type><fieldsToNull>LastName</fieldsToNull><Id>{identifier[:15]}</Id></sObjects>",
    ]
    assert outline(soap.call(f"<update>{''.join(changes)}</update>")) == [
        ("false", ["MISSING_ARGUMENT"]),
        ("true", []),
        ("false", ["INVALID_INPUT"]),
        ("false", ["INVALID_CROSS_REFERENCE_KEY"]),
        ("false", ["INVALID_INPUT"]),
    ]


def test_booleans_are_written_as_words_or_digits(soap: SoapApi) -> None:
    account = soap.create("Account", LastName="Silva")
    name = "Send_to_Vault_Clinical_vod__c"
    calls = [soap.create("Call2_vod__c", Account_vod__c=account, **{name: text}) for text in ("true", "1", "0")]
    assert [read_row(soap.sandbox, "Call2_vod__c", each)[name] for each in calls] == [True, True, False]


def test_references_are_given_by_external_id(soap: SoapApi) -> None:
    account = soap.create("Account", LastName="Silva", External_ID_vod__c="A-1")
    reference = "<sf:type>Account</sf:type><sf:External_ID_vod__c>A-1</sf:External_ID_vod__c>"
    call = soap.create("Call2_vod__c", Account_vod__r=reference)
    assert read_row(soap.sandbox, "Call2_vod__c", call)["Account_vod__c"] == account


def upsert(key: str, *records: str) -> str:
    return f"<upsert><externalIDFieldName>{key}</externalIDFieldName>{''.join(records)}</upsert>"


def test_an_upsert_creates_or_updates_by_external_id(soap: SoapApi) -> None:
    identifier = soap.create("Account", LastName="Silva", External_ID_vod__c="A-1")
    records = [
        write_sobject("Account", External_ID_vod__c="A-1", LastName="Costa"),
        write_sobject("Account", External_ID_vod__c="A-2", LastName="Reis"),
        write_sobject("Account", External_ID_vod__c="A-3"),
    ]
    results = soap.call(upsert("external_id_vod__c", *records))
    assert [result["created"] for result in results] == ["false", "true", "false"]
    assert outline(results) == [("true", []), ("true", []), ("false", ["REQUIRED_FIELD_MISSING"])]
    assert results[0]["id"] == identifier
    assert read_row(soap.sandbox, "Account", identifier)["Name"] == "Costa"


def test_an_upsert_by_id_creates_what_has_none(soap: SoapApi) -> None:
    identifier = soap.create("Account", LastName="Silva")
    records = [write_sobject("Account", LastName="New"), write_sobject("Account", Id=identifier, LastName="Costa")]
    results = soap.call(upsert("Id", *records))
    assert [(result["created"], result["success"]) for result in results] == [("true", "true"), ("false", "true")]
    assert read_row(soap.sandbox, "Account", identifier)["Name"] == "Costa"


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (f"<create>{write_sobject('Nothing')}</create>", "sf:INVALID_TYPE", "sObject type 'Nothing' is not supported."),
        ("<create><sObjects/></create>", "sf:INVALID_TYPE", "Must send a concrete entity type."),
        (f"<create>{write_sobject('Account', No='1')}</create>", "sf:INVALID_FIELD", "No such column 'No'"),
        (
            f"<create>{write_sobject('Call2_vod__c', Call_Date_vod__c='soon')}</create>",
            "soapenv:Client",
            "'soon' is not a valid value for the type xsd:date",
        ),
        (
            f"<create>{write_sobject('Call2_vod__c', Send_to_Vault_Clinical_vod__c='yes')}</create>",
            "soapenv:Client",
            "'yes' is not a valid value for the type xsd:boolean",
        ),
        (
            f"<create>{write_sobject('Call2_vod__c', Account_vod__r='Silva')}</create>",
            "soapenv:Client",
            "Cannot deserialize instance of Account from 'Silva'",
        ),
        (
            upsert("LastName", write_sobject("Account")),
            "sf:INVALID_FIELD",
            "LastName does not match an External ID",
        ),
        (upsert("", write_sobject("Account")), "sf:INVALID_FIELD", "does not match an External ID"),
        (
            f"<create>{write_sobject('Account', LastName='x') * 201}</create>",
            "sf:EXCEEDED_ID_LIMIT",
            "cannot submit more than 200 records",
        ),
        (write_ids("delete", *["001000000000009AAA"] * 201), "sf:EXCEEDED_ID_LIMIT", "200 records"),
        (write_ids("undelete", *["001000000000009AAA"] * 201), "sf:EXCEEDED_ID_LIMIT", "200 records"),
    ],
    ids=[
        "object",
        "no type",
        "field",
        "date",
        "boolean",
        "reference",
        "no key",
        "empty key",
        "create",
        "delete",
        "undelete",
    ],
)
def test_a_call_is_refused_as_a_whole(soap: SoapApi, call: str, code: str, message: str) -> None:
    status, found, text = describe_fault(soap.post(call))
    assert (status, found) == (500, code)
    assert message in text
    assert soap.sandbox.organisation.count_records(object_name="Account") == 0


def test_a_call_without_records_has_no_results(soap: SoapApi) -> None:
    for call in ("create", "update", "upsert", "delete", "undelete", "emptyRecycleBin", "merge"):
        assert soap.call(f"<{call}/>") == []


def test_rules_refuse_rows_and_the_log_has_what_was_written(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.add_rule(effect={"row_errors": {"A-1": "UNABLE_TO_LOCK_ROW"}})
    records = [write_sobject("Account", LastName=name, External_ID_vod__c=name) for name in ("A-1", "A-2")]
    assert outline(soap.call(f"<create>{''.join(records)}</create>")) == [
        ("false", ["UNABLE_TO_LOCK_ROW"]),
        ("true", []),
    ]
    written = [
        (record.external_id, record.outcome, record.error_code) for _, record in sandbox.request_log.list_written("")
    ]
    assert written == [("A-1", "refused", "UNABLE_TO_LOCK_ROW"), ("A-2", "created", "")]


def test_a_duplicate_is_saved_when_the_header_allows_it(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.change_settings({"duplicate_rule": "Account"})
    call = f"<create>{write_sobject('Account', FirstName='Ana', LastName='Silva')}</create>"
    assert outline(soap.call(call)) == [("true", [])]
    assert outline(soap.call(call)) == [("false", ["DUPLICATES_DETECTED"])]
    allow = "<DuplicateRuleHeader><allowSave>true</allowSave></DuplicateRuleHeader>"
    assert outline(soap.call(call, header=allow)) == [("true", [])]


# -- the recycle bin ----------------------------------------------------------------------------------


def test_records_are_deleted_and_come_back(soap: SoapApi) -> None:
    first, second = (soap.create("Account", LastName=name) for name in "ab")
    results = soap.call(write_ids("delete", first, second, first, "nonsense"))
    assert outline(results) == [
        ("true", []),
        ("true", []),
        ("false", ["ENTITY_IS_DELETED"]),
        ("false", ["MALFORMED_ID"]),
    ]
    assert [result["id"] for result in results] == [first, second, None, None]
    results = soap.call(write_ids("undelete", first, "001000000000009AAA"))
    assert outline(results) == [("true", []), ("false", ["UNDELETE_FAILED"])]
    assert [read_row(soap.sandbox, "Account", each)["IsDeleted"] for each in (first, second)] == [False, True]


def test_all_or_none_undeletes_none_beside_one_that_is_not_in_the_bin(soap: SoapApi) -> None:
    deleted, kept = (soap.create("Account", LastName=name) for name in "ab")
    soap.call(write_ids("delete", deleted), header=ALL_OR_NONE)
    results = soap.call(write_ids("undelete", deleted, kept), header=ALL_OR_NONE)
    assert outline(results) == [("false", [ROLLED_BACK]), ("false", ["UNDELETE_FAILED"])]
    assert read_row(soap.sandbox, "Account", deleted)["IsDeleted"] is True


def test_a_named_record_leaves_the_bin_for_good(soap: SoapApi) -> None:
    deleted, kept = (soap.create("Account", LastName=name) for name in "ab")
    soap.call(write_ids("delete", deleted))
    results = soap.call(write_ids("emptyRecycleBin", deleted, kept))
    assert outline(results) == [("true", []), ("false", ["DELETE_FAILED"])]
    assert outline(soap.call(write_ids("undelete", deleted))) == [("false", ["UNDELETE_FAILED"])]


def test_hidden_records_are_neither_changed_nor_brought_back(soap: SoapApi) -> None:
    first, second = (soap.create("Account", LastName=name) for name in "ab")
    soap.call(write_ids("delete", first))
    for each in (first, second):
        control(soap.sandbox, "POST", f"records/{each}/hide")
    assert outline(soap.call(write_ids("undelete", first))) == [("false", ["UNDELETE_FAILED"])]
    assert outline(soap.call(write_ids("delete", second))) == [("false", ["INVALID_CROSS_REFERENCE_KEY"])]
    change = write_sobject("Account", Id=second, NPI_vod__c="9")
    assert outline(soap.call(f"<update>{change}</update>")) == [("false", ["INVALID_CROSS_REFERENCE_KEY"])]


# -- merge --------------------------------------------------------------------------------------------


def merge(master: str, *losers: str, **values: str) -> str:
    record = write_sobject("Account", element="masterRecord", Id=master, **values)
    named = "".join(f"<recordToMergeIds>{loser}</recordToMergeIds>" for loser in losers)
    return f"<request>{record}{named}</request>"


def test_accounts_are_merged_into_the_master(soap: SoapApi, api: Api) -> None:
    master, *losers = (soap.create("Account", LastName=name, External_ID_vod__c=name) for name in "abc")
    call = soap.create("Call2_vod__c", Account_vod__c=losers[0])
    [result] = soap.call(f"<merge>{merge(master, *losers, External_ID_vod__c='b')}</merge>")
    assert result == {"id": master, "mergedRecordIds": losers, "success": "true", "updatedRelatedIds": call}
    for loser in losers:
        row = read_row(soap.sandbox, "Account", loser)
        assert (row["IsDeleted"], row["MasterRecordId"]) == (True, master)
    assert api.get(f"/sobjects/Account/{master}").json()["External_ID_vod__c"] == "b"
    assert api.get(f"/sobjects/Call2_vod__c/{call}").json()["Account_vod__c"] == master
    written = [(record.id, record.outcome) for _, record in soap.sandbox.request_log.list_written("")[-3:]]
    assert written == [(master, "updated"), *[(loser, "deleted") for loser in losers]]


def test_requests_to_merge_are_refused_one_by_one(sandbox: RunningSandbox, soap: SoapApi) -> None:
    first, second, third, hidden = (soap.create("Account", LastName=name) for name in "abcd")
    control(sandbox, "POST", f"records/{hidden}/hide")
    sandbox.misbehaviour.add_rule(effect={"row_errors": {third: "UNABLE_TO_LOCK_ROW"}})
    requests = [
        merge(first, first),
        merge(first),
        merge(first, hidden),
        merge(first, third),
        merge(first, "nonsense"),
        merge(first, second, LastName="x" * 81),
        merge(first, second),
    ]
    assert outline(soap.call(f"<merge>{''.join(requests)}</merge>")) == [
        ("false", ["INVALID_INPUT"]),
        ("false", ["INVALID_INPUT"]),
        ("false", ["INVALID_CROSS_REFERENCE_KEY"]),
        ("false", ["UNABLE_TO_LOCK_ROW"]),
        ("false", ["MALFORMED_ID"]),
        ("false", ["STRING_TOO_LONG"]),
        ("true", []),
    ]
    assert sandbox.organisation.count_records(object_name="Account") == 3


@pytest.mark.parametrize(
    ("request_element", "code"),
    [
        ("<request><masterRecord><sf:type>Call2_vod__c</sf:type></masterRecord></request>", "sf:INVALID_TYPE"),
        ("<request/>", "sf:INVALID_TYPE"),
        (merge("001000000000009AAA", "001000000000008AAA", No="1"), "sf:INVALID_FIELD"),
        (merge("001000000000009AAA", "001000000000008AAA", Name="<sf:a>1</sf:a>"), "soapenv:Client"),
    ],
    ids=["calls", "nothing", "unknown field", "no text"],
)
def test_a_call_to_merge_is_refused_before_any_account_is_merged(
    soap: SoapApi, request_element: str, code: str
) -> None:
    master, loser = (soap.create("Account", LastName=name) for name in "ab")
    response = soap.post(f"<merge>{merge(master, loser)}{request_element}</merge>")
    assert describe_fault(response)[:2] == (500, code)
    assert soap.sandbox.organisation.count_records(object_name="Account") == 2
