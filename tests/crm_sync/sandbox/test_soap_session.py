"""The SOAP API: log-in, sessions, envelopes that are no calls, faults, misbehaviour."""

import gzip

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error, measure_to_noon
from tests.crm_sync.sandbox.soap import ENVELOPE, SoapApi, describe_fault, post_document, post_envelope

LOG_IN = "<login><username>{}</username><password>{}</password></login>"
ILLEGAL_SESSION = (
    500,
    "sf:INVALID_SESSION_ID",
    "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session",
)


def log_in(sandbox: RunningSandbox, *, path: str = "u/60.0") -> requests.Response:
    user = sandbox.user
    return post_envelope(sandbox, LOG_IN.format(user.username, user.password + user.security_token), path=path)


def test_log_in_answers_with_a_session_and_where_to_use_it(sandbox: RunningSandbox) -> None:
    response = log_in(sandbox)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/xml;charset=UTF-8")
    [token] = sandbox.organisation.database.fetch_all("SELECT token FROM sandbox_sessions")
    organisation = sandbox.organisation
    address = f"{sandbox.base_url}/services/Soap"
    assert response.text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
        'xmlns:sf="urn:sobject.partner.soap.sforce.com" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result>'
        f"<metadataServerUrl>{address}/m/60.0/{organisation.id[:15]}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>true</sandbox>"
        f"<serverUrl>{address}/u/60.0/{organisation.id[:15]}</serverUrl><sessionId>{token[0]}</sessionId>"
        f"<userId>{sandbox.user.id}</userId><userInfo><accessibilityMode>false</accessibilityMode>"
    )
    assert response.text.endswith("</userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>")


def test_the_enterprise_address_answers_log_in_in_its_own_names_and_no_other_call(sandbox: RunningSandbox) -> None:
    text = log_in(sandbox, path="c/60.0").text
    assert 'xmlns="urn:enterprise.soap.sforce.com"' in text
    assert f"<serverUrl>{sandbox.base_url}/services/Soap/c/60.0/" in text
    refused = post_envelope(sandbox, LOG_IN.format(sandbox.user.username, "wrong"), path="c/60.0")
    assert 'xmlns:sf="urn:fault.enterprise.soap.sforce.com"' in refused.text
    status, code, _ = describe_fault(post_envelope(sandbox, "<getUserInfo/>", path="c/60.0"))
    assert (status, code) == (500, "soapenv:Client")


def test_a_wrong_password_is_a_log_in_fault(sandbox: RunningSandbox) -> None:
    response = post_envelope(sandbox, LOG_IN.format(sandbox.user.username, "wrong"))
    message = "Invalid username, password, security token; or user locked out."
    assert response.status_code == 500
    assert response.text == (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
        'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: {message}</faultstring>"
        '<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>'
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )


def test_a_session_is_good_for_both_apis_until_it_is_logged_out(
    sandbox: RunningSandbox, soap: SoapApi, api: Api
) -> None:
    [info] = soap.call("<getUserInfo/>")
    assert (info["userId"], info["organizationId"]) == (sandbox.user.id, sandbox.organisation.id)
    assert (info["userFullName"], info["roleId"]) == (sandbox.user.name, None)
    assert len(info["profileId"]) == 18
    api.session.headers["Authorization"] = f"Bearer {soap.token}"
    assert api.get("/limits").status_code == 200
    assert soap.call("<logout/>") == []
    assert describe_fault(soap.post("<getUserInfo/>")) == ILLEGAL_SESSION
    assert describe_error(api.get("/limits")) == (401, "INVALID_SESSION_ID")


def test_without_session_header_nothing_is_answered(sandbox: RunningSandbox) -> None:
    response = post_envelope(sandbox, "<getServerTimestamp/>")
    assert describe_fault(response) == ILLEGAL_SESSION
    assert '<sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault">' in response.text


def test_the_server_tells_the_time_of_the_organisation(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.clock_skew_seconds = measure_to_noon(sandbox) - 86_400 * 3_650
    [result] = soap.call("<getServerTimestamp/>")
    assert result["timestamp"].startswith(f"{sandbox.organisation.read_clock().date().isoformat()}T12:")
    assert result["timestamp"].endswith(".000Z")


# -- what is no call ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"not xml", "The request is no XML that can be read: syntax error"),
        (b"<Envelope><Body><login/></Body></Envelope>", "The root of the request is not an Envelope"),
        (ENVELOPE.format(header="", body="").encode(), "The envelope has no Body with a call in it"),
        (ENVELOPE.format(header="", body="<a>" * 50 + "</a>" * 50).encode(), "nested more than 40 deep"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "The request is no XML that can be read"),
        (
            b'<!DOCTYPE x [<!ENTITY e "x">]><Envelope><Body><login><username>&e;</username></login></Body></Envelope>',
            "the document type x is not allowed",
        ),
        (
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"),
            "the document type x is not allowed",
        ),
        (b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><x/>', "the document type x is not allowed"),
        (ENVELOPE.format(header="", body="<resetPassword/>").encode(), "No operation available for request"),
    ],
)
def test_a_document_that_is_no_call_is_a_fault_of_the_client(
    sandbox: RunningSandbox, document: bytes, message: str
) -> None:
    status, code, text = describe_fault(post_document(sandbox, document))
    assert (status, code) == (500, "soapenv:Client")
    assert message in text


def test_a_call_is_posted_as_xml_with_an_action(sandbox: RunningSandbox) -> None:
    assert describe_fault(post_envelope(sandbox, "<login/>", SOAPAction=""))[2] == "SOAPAction HTTP header missing"
    for response in (
        post_envelope(sandbox, "<login/>", **{"Content-Type": "application/json"}),
        requests.get(f"{sandbox.base_url}/services/Soap/u/60.0", timeout=30),
    ):
        assert describe_fault(response)[2] == "content-type of the request should be text/xml"


def test_versions_that_are_retired_or_not_there_yet_are_refused(sandbox: RunningSandbox) -> None:
    for version in ("20.0", "99.0"):
        _, code, message = describe_fault(log_in(sandbox, path=f"u/{version}"))
        assert code == "sf:UNSUPPORTED_API_VERSION"
        assert message == "UNSUPPORTED_API_VERSION: Invalid Api version specified on URL"


def test_a_call_may_be_compressed(sandbox: RunningSandbox) -> None:
    body = LOG_IN.format(sandbox.user.username, sandbox.user.password)
    document = gzip.compress(ENVELOPE.format(header="", body=body).encode())
    assert post_document(sandbox, document, **{"Content-Encoding": "gzip"}).status_code == 200


# -- limits, log and misbehaviour ---------------------------------------------------------------------


def test_calls_are_counted_and_logged_by_name(sandbox: RunningSandbox, soap: SoapApi) -> None:
    used = sandbox.organisation.usage.used
    response = soap.post("<getUserInfo/>")
    limit = f"<current>{used + 1}</current><limit>15000</limit><type>API REQUESTS</type>"
    assert f"<soapenv:Header><LimitInfoHeader><limitInfo>{limit}</limitInfo></LimitInfoHeader>" in response.text
    assert response.headers["Sforce-Limit-Info"] == f"api-usage={used + 1}/15000"
    assert sandbox.request_log.count(path_contains="/Soap/u/60.0#getUserInfo", status=200) == 1
    sandbox.misbehaviour.api_limit = used + 1
    assert describe_fault(soap.post("<getUserInfo/>"))[:2] == (500, "sf:REQUEST_LIMIT_EXCEEDED")


def test_rules_match_calls_by_name_and_object(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.add_rule(match={"path": "#getUserInfo$"}, effect={"status": 503, "retry_after": 7})
    response = soap.post("<getUserInfo/>")
    assert describe_fault(response)[:2] == (503, "sf:UNKNOWN_EXCEPTION")
    assert response.headers["Retry-After"] == "7"
    assert soap.post("<getServerTimestamp/>").status_code == 200
    sandbox.misbehaviour.clear()
    sandbox.misbehaviour.add_rule(match={"object": "User"}, effect={"error_code": "SERVER_UNAVAILABLE"})
    refused = (500, "sf:SERVER_UNAVAILABLE")
    for call in (
        "<query><queryString>SELECT Id FROM User</queryString></query>",
        "<describeSObject><sObjectType>User</sObjectType></describeSObject>",
        "<create><sObjects><sf:type>User</sf:type></sObjects></create>",
        f"<delete><ids>{sandbox.user.id}</ids></delete>",
    ):
        assert describe_fault(soap.post(call))[:2] == refused
    assert soap.post("<query><queryString>SELECT Id FROM Account</queryString></query>").status_code == 200


def test_sessions_expire_and_connections_are_cut_as_over_rest(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.add_rule(match={"path": "#create", "count": 1}, effect={"drop": "after"})
    with pytest.raises(requests.ConnectionError):
        soap.post("<create><sObjects><sf:type>Account</sf:type><sf:LastName>A</sf:LastName></sObjects></create>")
    assert sandbox.organisation.count_records(object_name="Account") == 1
    [(entry, record)] = sandbox.request_log.list_written("")
    assert (entry.status, record.outcome, record.values) == (0, "created", {"LastName": "A"})
    sandbox.misbehaviour.add_rule(effect={"expire_sessions": True})
    assert describe_fault(soap.post("<getUserInfo/>")) == ILLEGAL_SESSION


def test_a_page_of_html_and_half_an_answer_are_sent_on_request(sandbox: RunningSandbox, soap: SoapApi) -> None:
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"html": True})
    assert soap.post("<getUserInfo/>").text.startswith("<!DOCTYPE html>")
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"truncate": True})
    with pytest.raises(requests.exceptions.RequestException):
        soap.post("<getUserInfo/>")


def test_faults_that_are_read_have_the_code_twice(soap: SoapApi) -> None:
    response = soap.post("<query><queryString>SELECT Id FROM</queryString></query>")
    assert describe_fault(response)[:2] == (500, "sf:MALFORMED_QUERY")
    assert "<sf:exceptionCode>MALFORMED_QUERY</sf:exceptionCode>" in response.text
    assert "<sf:row>1</sf:row><sf:column>" in response.text
