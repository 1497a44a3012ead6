"""The client zeep, unchanged, works with the sandbox by a WSDL, which says in which order and of what type all is.

zeep is there because simple-salesforce needs it.
"""

from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.soap import SoapApi

WSDL = Path(__file__).with_name("partner.wsdl")
BINDING = "{urn:partner.soap.sforce.com}SoapBinding"
FIELD = "{{urn:sobject.partner.soap.sforce.com}}{}"


class WsdlClient:
    """Calls the SOAP API as the WSDL describes it, after a log-in."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        """Log in."""
        make_client: Any = zeep.Client  # whose types are not declared
        client = make_client(str(WSDL))
        self.record = client.get_type("{urn:sobject.partner.soap.sforce.com}sObject")
        user = sandbox.user
        log_in = client.create_service(BINDING, f"{sandbox.base_url}/services/Soap/u/60.0")
        self.result = log_in.login(user.username, user.password + user.security_token)
        self.service = client.create_service(BINDING, self.result.serverUrl)

    def call(self, name: str, **arguments: Any) -> Any:
        """Return the result of a call. Raises zeep's Fault, and XMLParseError for an answer that the WSDL forbids."""
        return self.service[name](**arguments, _soapheaders={"SessionHeader": {"sessionId": self.result.sessionId}})

    def make_record(self, *, identifier: str | None = None, emptied: tuple[str, ...] = (), **values: str) -> Any:
        """Return an account with these values."""
        elements = []
        for name, value in values.items():
            element = etree.Element(FIELD.format(name))
            element.text = value
            elements.append(element)
        return self.record(type="Account", fieldsToNull=list(emptied), Id=identifier, _value_1=elements)


@pytest.fixture
def wsdl(sandbox: RunningSandbox) -> WsdlClient:
    """A client that is logged in."""
    return WsdlClient(sandbox)


def test_log_in_is_as_in_the_wsdl(sandbox: RunningSandbox, wsdl: WsdlClient) -> None:
    assert wsdl.result.userId == sandbox.user.id
    assert wsdl.result.userInfo.organizationId == sandbox.organisation.id
    assert (wsdl.result.sandbox, wsdl.result.userInfo.roleId) == (True, None)


def test_records_are_written_and_read_as_in_the_wsdl(wsdl: WsdlClient) -> None:
    records = [
        wsdl.make_record(External_ID_vod__c="A-1", LastName="Silva", NPI_vod__c="9"),
        wsdl.make_record(External_ID_vod__c="A-2"),
    ]
    good, bad = wsdl.call("upsert", externalIDFieldName="External_ID_vod__c", sObjects=records)
    assert (good.success, good.created, len(good.id)) == (True, True, 18)
    [error] = bad.errors
    assert (bad.id, error.statusCode, error.fields) == (None, "REQUIRED_FIELD_MISSING", ["Name"])
    change = wsdl.make_record(identifier=good.id, emptied=("NPI_vod__c",), FirstName="Ana")
    [updated] = wsdl.call("update", sObjects=[change])
    assert (updated.success, updated.errors) == (True, [])
    page = wsdl.call("query", queryString="SELECT Id, Name, NPI_vod__c FROM Account")
    [record] = page.records
    assert (page.done, page.size, page.queryLocator, record.type, record.Id) == (True, 1, None, "Account", good.id)
    values = {etree.QName(element).localname: element.text for element in record._value_1}
    assert values == {"Id": good.id, "Name": "Ana Silva", "NPI_vod__c": None}


def test_accounts_are_merged_as_in_the_wsdl(sandbox: RunningSandbox, soap: SoapApi, wsdl: WsdlClient) -> None:
    master, loser = (soap.create("Account", LastName=name) for name in "ab")
    asked = {"masterRecord": wsdl.make_record(identifier=master, NPI_vod__c="9"), "recordToMergeIds": [loser]}
    [result] = wsdl.call("merge", request=[asked])
    assert (result.success, result.id, result.mergedRecordIds, result.updatedRelatedIds) == (True, master, [loser], [])
    assert sandbox.organisation.count_records(object_name="Account") == 1


def test_faults_are_raised_with_their_code(wsdl: WsdlClient) -> None:
    with pytest.raises(zeep.exceptions.Fault) as raised:
        wsdl.call("query", queryString="SELECT Nothing FROM Account")
    assert raised.value.code == "sf:INVALID_FIELD"
