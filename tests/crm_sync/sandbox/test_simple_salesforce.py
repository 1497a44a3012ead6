"""The client simple-salesforce, unchanged, works with the sandbox at an address of salesforce.com."""

# ruff: noqa: S608  SOQL with ids the CRM gave out

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.login import SalesforceLogin

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.serving.certificates import ServerCertificate


class LocalAdapter(HTTPAdapter):
    """Connects to the sandbox whichever host is asked for, in place of DNS, and verifies its certificate."""

    def __init__(self, *, sandbox: RunningSandbox, certificates: ServerCertificate) -> None:
        super().__init__()
        self._netloc = urlsplit(sandbox.base_url).netloc
        self._authority = str(certificates.authority)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.headers["Host"] = parts.netloc
        request.url = urlunsplit(parts._replace(netloc=self._netloc))
        return super().send(request, *arguments, **{**options, "verify": self._authority})


@pytest.fixture
def session(tls_sandbox: RunningSandbox, certificates: ServerCertificate) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", LocalAdapter(sandbox=tls_sandbox, certificates=certificates))
        yield session


@pytest.fixture
def client(tls_sandbox: RunningSandbox, session: requests.Session) -> Any:
    """A client that logged in as most scripts do: username, password and security token, by SOAP.

    Its own types tell objects and bulk handlers apart at run time only.
    """
    user = tls_sandbox.user
    return Salesforce(
        username=user.username, password=user.password, security_token=user.security_token, session=session
    )


def test_logs_in_by_soap_with_the_security_token(client: Any) -> None:
    assert client.query("SELECT Username FROM User")["records"][0]["Username"] == "vault.integration@na.crm.test"


def test_logs_in_by_the_password_flow(tls_sandbox: RunningSandbox, session: requests.Session) -> None:
    user, app = tls_sandbox.user, tls_sandbox.connected_app
    client = Salesforce(
        username=user.username,
        password=user.password,
        consumer_key=app.client_id,
        consumer_secret=app.client_secret,
        session=session,
    )
    assert client.sf_instance == "login.salesforce.com"
    assert client.query("SELECT COUNT() FROM User")["totalSize"] == 1


def test_logs_in_by_client_credentials(tls_sandbox: RunningSandbox, session: requests.Session) -> None:
    app = tls_sandbox.connected_app
    client = Salesforce(consumer_key=app.client_id, consumer_secret=app.client_secret, domain="na.my", session=session)
    assert client.sf_instance == "na.my.salesforce.com"
    assert client.query("SELECT COUNT() FROM User")["totalSize"] == 1


@pytest.mark.parametrize("with_app", [True, False])
def test_is_told_of_a_wrong_password(tls_sandbox: RunningSandbox, session: requests.Session, *, with_app: bool) -> None:
    app = tls_sandbox.connected_app
    keys: dict[str, Any] = (
        {"consumer_key": app.client_id, "consumer_secret": app.client_secret} if with_app else {"security_token": ""}
    )
    with pytest.raises(SalesforceAuthenticationFailed) as caught:
        SalesforceLogin(username=tls_sandbox.user.username, password="wrong", session=session, **keys)
    assert caught.value.code == ("invalid_grant" if with_app else "INVALID_LOGIN")


def test_reads_every_page_of_a_query(tls_sandbox: RunningSandbox, client: Any) -> None:
    tls_sandbox.organisation.insert_records(
        object_name="Account", records=[{"LastName": f"Person {number:04}"} for number in range(4_500)]
    )
    answer = client.query_all("SELECT Id, LastName FROM Account ORDER BY LastName")
    assert answer["totalSize"] == 4_500
    assert [record["LastName"] for record in answer["records"]] == [f"Person {number:04}" for number in range(4_500)]
    assert tls_sandbox.request_log.count(path_contains="/query/") == 3


def test_creates_reads_updates_and_deletes(client: Any) -> None:
    created = client.Account.create({"LastName": "Moreau", "FirstName": "Aline"})
    assert created["success"] is True
    identifier = created["id"]
    assert client.Account.get(identifier)["Name"] == "Aline Moreau"
    assert client.Account.update(identifier, {"LastName": "Petit"}) == 204
    assert client.Account.get(identifier)["Name"] == "Aline Petit"
    assert client.Account.delete(identifier) == 204
    assert client.query(f"SELECT Id FROM Account WHERE Id = '{identifier}'")["totalSize"] == 0
    assert client.query(f"SELECT Id FROM Account WHERE Id = '{identifier}'", include_deleted=True)["totalSize"] == 1


def test_upserts_and_reads_by_external_id(client: Any) -> None:
    assert client.Clinical_Study_vod__c.upsert("Vault_External_ID_vod__c/S%201%2Fa", {"Name": "ST-1"}) == 201
    assert client.Clinical_Study_vod__c.upsert("Vault_External_ID_vod__c/S%201%2Fa", {"Name": "ST-2"}) == 200
    assert client.Clinical_Study_vod__c.upsert("Vault_External_ID_vod__c/S%2F2", {"Name": "ST-3"}) == 201
    record = client.Clinical_Study_vod__c.get_by_custom_id("Vault_External_ID_vod__c", "S/2")
    assert (record["Name"], record["Vault_External_ID_vod__c"]) == ("ST-3", "S/2")
    found = client.query("SELECT Vault_External_ID_vod__c FROM Clinical_Study_vod__c WHERE Name = 'ST-2'")["records"]
    assert [entry["Vault_External_ID_vod__c"] for entry in found] == ["S 1/a"]


def test_learns_what_was_deleted_and_updated(client: Any) -> None:
    now = datetime.now(UTC)
    kept = client.Account.create({"LastName": "Kept"})["id"]
    gone = client.Account.create({"LastName": "Gone"})["id"]
    client.Account.delete(gone)
    span = (now - timedelta(minutes=5), now + timedelta(minutes=5))
    deleted = client.Account.deleted(*span)
    assert [entry["id"] for entry in deleted["deletedRecords"]] == [gone]
    assert set(deleted) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
    assert client.Account.updated(*span)["ids"] == [kept]


def test_describes_objects(client: Any) -> None:
    assert {entry["name"] for entry in client.describe()["sobjects"]} == {
        "Account",
        "Call2_vod__c",
        "Clinical_Site_vod__c",
        "Clinical_Study_vod__c",
        "User",
        "Vault_Clinical_Interaction_vod__c",
    }
    fields = {field["name"]: field for field in client.Call2_vod__c.describe()["fields"]}
    assert fields["Account_vod__c"]["referenceTo"] == ["Account"]
    assert fields["Account_vod__c"]["nillable"] is False
    assert client.Call2_vod__c.metadata()["objectDescribe"]["keyPrefix"] == "a00"


def test_upserts_a_collection(client: Any) -> None:
    body = {
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "Account"}, "LastName": name, "External_ID_vod__c": name} for name in ("A", "B")
        ],
    }
    results = client.restful("composite/sobjects/Account/External_ID_vod__c", method="PATCH", json=body)
    assert [(entry["success"], entry["created"]) for entry in results] == [(True, True), (True, True)]
    assert client.limits()["DailyApiRequests"]["Max"] == 15_000
    assert client.api_usage["api-usage"].total == 15_000


def test_raises_its_own_error_for_every_kind_of_refusal(tls_sandbox: RunningSandbox, client: Any) -> None:
    def catch(error: type[SalesforceError], call: Any, *arguments: Any) -> str:
        with pytest.raises(error) as caught:
            call(*arguments)
        assert type(caught.value) is error
        content: list[Any] = list(caught.value.content)
        return str(content[0]["errorCode"] if isinstance(content[0], dict) else content[0])

    for _ in range(2):
        client.Account.create({"LastName": "Same", "NPI_vod__c": "17"})
    assert catch(SalesforceMalformedRequest, client.query, "SELECT Nothing FROM Account") == "INVALID_FIELD"
    assert catch(SalesforceMalformedRequest, client.query, "SELECT Id FORM Account") == "MALFORMED_QUERY"
    assert catch(SalesforceMalformedRequest, client.Account.create, {}) == "REQUIRED_FIELD_MISSING"
    assert catch(SalesforceResourceNotFound, client.Account.get, "001000000000001AAA") == "NOT_FOUND"
    choices = catch(SalesforceMoreThanOneRecord, client.Account.get_by_custom_id, "NPI_vod__c", "17")
    assert choices.startswith("/services/data/v")
    tls_sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"limit_exhausted": True})
    assert catch(SalesforceRefusedRequest, client.query, "SELECT Id FROM Account") == "REQUEST_LIMIT_EXCEEDED"
    tls_sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"status": 503})
    assert catch(SalesforceGeneralError, client.query, "SELECT Id FROM Account") == "UNKNOWN_EXCEPTION"
    stranger = Salesforce(instance="na.my.salesforce.com", session_id="expired", session=client.session)
    assert catch(SalesforceExpiredSession, stranger.query, "SELECT Id FROM Account") == "INVALID_SESSION_ID"


def test_logs_in_again_when_the_session_has_expired(tls_sandbox: RunningSandbox, client: Any) -> None:
    tls_sandbox.organisation.sessions.expire_all()
    assert client.query("SELECT COUNT() FROM User")["totalSize"] == 1
    assert tls_sandbox.request_log.count(path_contains="/services/Soap/u/") == 2


def test_loads_and_queries_in_bulk(client: Any) -> None:
    rows = [{"LastName": f"Person {number}", "External_ID_vod__c": f"x{number}"} for number in range(300)]
    [done] = client.bulk2.Account.insert(records=rows, wait=0.05)
    assert (done["numberRecordsTotal"], done["numberRecordsFailed"]) == (300, 0)
    changed = [{"LastName": "", "External_ID_vod__c": "x1"}, {"FirstName": "Ana", "External_ID_vod__c": "x2"}]
    [done] = client.bulk2.Account.upsert(records=changed, external_id_field="External_ID_vod__c", wait=0.05)
    assert done["numberRecordsFailed"] == 0
    pages = list(
        client.bulk2.Account.query("SELECT Id, FirstName FROM Account ORDER BY Id", max_records=200, wait=0.05)
    )
    assert [page.count("\n") - 1 for page in pages] == [200, 100]
    assert '"Ana"' in pages[0]
    [done] = client.bulk2.Account.insert(records=[{"LastName": "Doubled", "External_ID_vod__c": "x1"}], wait=0.05)
    assert "DUPLICATE_VALUE" in client.bulk2.Account.get_failed_records(done["job_id"])


def test_loads_and_queries_with_the_first_bulk_api(client: Any) -> None:
    rows = [{"LastName": f"Person {number}", "External_ID_vod__c": f"x{number}"} for number in range(30)]
    results = client.bulk.Account.insert([*rows, {"FirstName": "Nobody"}], batch_size=20)
    assert [result["success"] for result in results] == [True] * 30 + [False]
    assert results[-1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    changed = [{"LastName": "Neu", "External_ID_vod__c": name} for name in ("x1", "new")]
    upserted = client.bulk.Account.upsert(changed, "External_ID_vod__c")
    assert [result["created"] for result in upserted] == [False, True]
    found = client.bulk.Account.query("SELECT Id, LastName FROM Account WHERE LastName = 'Neu' ORDER BY Id")
    assert [record["LastName"] for record in found] == ["Neu", "Neu"]
    deleted = client.bulk.Account.delete([{"Id": record["Id"]} for record in found])
    assert [result["success"] for result in deleted] == [True, True]


def test_searches_and_reads_limits(client: Any) -> None:
    created = client.Account.create({"FirstName": "Aline", "LastName": "Moreau", "PersonEmail": "aline@clinic.example"})
    assert [record["Id"] for record in client.quick_search("moreau")["searchRecords"]] == [created["id"]]
    found = client.search("FIND {ali*} IN NAME FIELDS RETURNING Account(Id, Name)")["searchRecords"]
    assert [record["Name"] for record in found] == ["Aline Moreau"]
    with pytest.raises(SalesforceMalformedRequest) as caught:
        client.search("FIND {a}")
    content: Any = caught.value.content
    assert content[0]["errorCode"] == "MALFORMED_SEARCH"
    limits = client.limits()
    assert limits["DailyApiRequests"]["Remaining"] < limits["DailyApiRequests"]["Max"]
    assert {"DailyBulkApiBatches", "DataStorageMB", "SingleEmail"} <= limits.keys()
