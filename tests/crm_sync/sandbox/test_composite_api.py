"""Composite requests, batches and trees: several requests in one."""

# ruff: noqa: S608  SOQL with ids the CRM gave out

from typing import Any

from tests.crm_sync.sandbox.conftest import Api, describe_error

BASE = "/services/data/v60.0"


def make_request(method: str, path: str, reference: str, body: Any = None) -> dict[str, Any]:
    """Return one inner request."""
    return {"method": method, "url": BASE + path, "referenceId": reference, "body": body}


def test_later_requests_use_the_answers_of_earlier_ones(api: Api) -> None:
    answer = api.post(
        "/composite",
        json={
            "compositeRequest": [
                make_request("POST", "/sobjects/Account", "person", {"LastName": "Moreau"}),
                make_request("POST", "/sobjects/Call2_vod__c", "call", {"Account_vod__c": "@{person.id}"}),
                make_request("GET", "/query?q=SELECT+Name+FROM+Account+WHERE+Id='@{person.id}'", "found"),
                make_request("GET", "/sobjects/Account/@{call.id}", "wrong"),
                make_request("PATCH", "/sobjects/Account/@{nothing.id}", "unknown", {}),
            ]
        },
    ).json()["compositeResponse"]
    assert [(entry["referenceId"], entry["httpStatusCode"]) for entry in answer] == [
        ("person", 201),
        ("call", 201),
        ("found", 200),
        ("wrong", 404),
        ("unknown", 400),
    ]
    assert answer[0]["httpHeaders"] == {"Location": f"{BASE}/sobjects/Account/{answer[0]['body']['id']}"}
    assert answer[2]["body"]["records"][0]["Name"] == "Moreau"


def test_all_or_none_undoes_everything(api: Api) -> None:
    requests = [
        make_request("POST", "/sobjects/Account", "first", {"LastName": "x"}),
        make_request("POST", "/sobjects/Account", "second", {}),
        make_request("POST", "/sobjects/Account", "third", {"LastName": "x"}),
    ]
    answer = api.post("/composite", json={"allOrNone": True, "compositeRequest": requests}).json()["compositeResponse"]
    assert [entry["body"][0]["errorCode"] for entry in answer] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
        "PROCESSING_HALTED",
    ]
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 0
    answer = api.post("/composite", json={"allOrNone": False, "compositeRequest": requests}).json()["compositeResponse"]
    assert [entry["httpStatusCode"] for entry in answer] == [201, 400, 201]
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 2


def test_batches_answer_each_request(api: Api) -> None:
    requests = [
        {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"LastName": "x"}},
        {"method": "GET", "url": "v60.0/nothing"},
        {"method": "GET", "url": "v60.0/limits"},
    ]
    answer = api.post("/composite/batch", json={"batchRequests": requests}).json()
    assert answer["hasErrors"] is True
    assert [entry["statusCode"] for entry in answer["results"]] == [201, 404, 200]
    halted = api.post("/composite/batch", json={"batchRequests": requests, "haltOnError": True}).json()
    assert [entry["statusCode"] for entry in halted["results"]] == [201, 404, 412]


def test_trees_create_records_with_their_children(api: Api) -> None:
    def make_tree(channel: str) -> dict[str, Any]:
        call = {
            "attributes": {"type": "Call2_vod__c", "referenceId": "call"},
            "Call_Channel_vod__c": channel,
        }
        person = {"attributes": {"type": "Account", "referenceId": "person"}, "LastName": "x"}
        return {"records": [{**person, "Call2_vod__r": {"records": [call]}}]}

    refused = api.post("/composite/tree/Account", json=make_tree("Pigeon"))
    assert refused.status_code == 400
    assert refused.json()["results"][0]["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 0
    created = api.post("/composite/tree/Account", json=make_tree("Video_vod"))
    assert created.status_code == 201
    ids = {entry["referenceId"]: entry["id"] for entry in created.json()["results"]}
    assert api.list_values(f"SELECT Id FROM Call2_vod__c WHERE Account_vod__c = '{ids['person']}'") == [ids["call"]]


def test_malformed_bodies_are_refused(api: Api) -> None:
    assert describe_error(api.post("/composite", json={})) == (400, "JSON_PARSER_ERROR")
    assert describe_error(api.post("/composite", json={"compositeRequest": [{}]})) == (400, "JSON_PARSER_ERROR")
    many = {"batchRequests": [{"method": "GET", "url": "v60.0/limits"}] * 26}
    assert describe_error(api.post("/composite/batch", json=many)) == (400, "LIMIT_EXCEEDED")


def test_each_graph_is_kept_whole_or_not_at_all(api: Api) -> None:
    def make_graph(name: str, *requests: dict[str, Any]) -> dict[str, Any]:
        return {"graphId": name, "compositeRequest": list(requests)}

    account = make_request("POST", "/sobjects/Account", "account", {"LastName": "kept"})
    call = make_request("POST", "/sobjects/Call2_vod__c", "call", {"Account_vod__c": "@{account.id}"})
    refused = make_request("POST", "/sobjects/Account", "refused", {})
    graphs = [make_graph("1", account, call), make_graph("2", account, refused, call), make_graph("3", account)]
    answers = api.post("/composite/graph", json={"graphs": graphs}).json()["graphs"]
    assert [(each["graphId"], each["isSuccessful"]) for each in answers] == [("1", True), ("2", False), ("3", True)]
    failed = answers[1]["graphResponse"]["compositeResponse"]
    assert [(each["referenceId"], each["httpStatusCode"], each["body"][0]["errorCode"]) for each in failed] == [
        ("account", 400, "PROCESSING_HALTED"),
        ("refused", 400, "REQUIRED_FIELD_MISSING"),
        ("call", 400, "PROCESSING_HALTED"),
    ]
    assert answers[0]["graphResponse"]["compositeResponse"][1]["httpStatusCode"] == 201
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 2
    assert api.query("SELECT COUNT() FROM Call2_vod__c")["totalSize"] == 1


def test_graphs_that_cannot_be_read_change_nothing(api: Api) -> None:
    nodes = [make_request("POST", "/sobjects/Account", "a", {"LastName": "x"})]
    good = {"graphId": "1", "compositeRequest": nodes}
    for graphs, code in (
        (None, "JSON_PARSER_ERROR"),
        ([good, {"graphId": "2"}], "JSON_PARSER_ERROR"),
        ([good, {"graphId": "2", "compositeRequest": [{"method": "GET"}]}], "JSON_PARSER_ERROR"),
        ([good] * 76, "LIMIT_EXCEEDED"),
        ([{**good, "compositeRequest": nodes * 501}], "LIMIT_EXCEEDED"),
    ):
        assert describe_error(api.post("/composite/graph", json={"graphs": graphs})) == (400, code)
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 0
