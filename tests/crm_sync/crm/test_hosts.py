"""Only allowed hosts are called, whether an admin or the CRM names them."""

from __future__ import annotations

import pytest

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.hosts import HostRules

RULES = HostRules(
    allowed_suffixes=("salesforce.com", ".veevacrm.com"),
    sandbox_origins={"https://na.crm.test": "http://127.0.0.1:8101"},
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://na.my.salesforce.com", "https://na.my.salesforce.com"),
        ("https://salesforce.com/", "https://salesforce.com"),
        ("HTTPS://EU.VeevaCRM.com:443/", "https://eu.veevacrm.com"),
        ("https://na.crm.test/", "https://na.crm.test"),
    ],
)
def test_an_allowed_host_is_accepted_and_written_one_way(url: str, origin: str) -> None:
    assert RULES.check_origin(url) == origin


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://na.my.salesforce.com", "the address must begin with https://"),
        ("https://na.my.salesforce.com:8443", "only the standard port of https is allowed"),
        ("https://me:pw@na.my.salesforce.com", "the address must not hold a user name or password"),
        ("https://na.my.salesforce.com/services", "the address must end after the host name"),
        ("https://na.my.salesforce.com?x=1", "the address must end after the host name"),
        ("https://na.my.salesforce.com/#x", "the address must end after the host name"),
        ("https://evilsalesforce.com", "the host is not on the allow-list"),
        ("https://salesforce.com.evil.example", "the host is not on the allow-list"),
        ("https://other.crm.test", "the host is not on the allow-list"),
        ("https://a.na.crm.test", "the host is not on the allow-list"),
        ("https://127.0.0.1", "a full host name is needed, not an IP address"),
        ("https://8.8.8.8", "a full host name is needed, not an IP address"),
        ("https://2130706433", "a full host name is needed, not an IP address"),
        ("https://0177.0.0.1", "a full host name is needed, not an IP address"),
        ("https://0x7f.0.0.1", "a full host name is needed, not an IP address"),
        ("https://0x7f000001", "a full host name is needed, not an IP address"),
        ("https://127.1", "a full host name is needed, not an IP address"),
        ("https://[::1]", "a full host name is needed, not an IP address"),
        ("https://[::ffff:127.0.0.1]", "a full host name is needed, not an IP address"),
        ("https://localhost", "a full host name is needed, not an IP address"),
        ("https://salesforce.com.", "a full host name is needed, not an IP address"),
        ("https:///x", "a full host name is needed, not an IP address"),
        ("https://na.salesforce.com\\@evil.example", "it holds characters that no address has"),
        ("https://evil.example\t.salesforce.com", "it holds characters that no address has"),
        ("https://\uff53alesforce.com", "it holds characters that no address has"),
        ("https://na.salesforce.com:x", "it cannot be read as an address"),
    ],
)
def test_everything_else_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RULES.check_origin(url)
    assert caught.value.message.partition(" is refused: ")[2] == f"{reason}."


def test_an_empty_allow_list_admits_nobody() -> None:
    with pytest.raises(ConfigurationError, match="not on the allow-list"):
        HostRules(allowed_suffixes=("", "."), sandbox_origins={}).check_origin("https://na.my.salesforce.com")


@pytest.mark.parametrize("instance_url", ["http://127.0.0.1:8101", "http://127.0.0.1:8101/", "https://na.crm.test"])
def test_a_sandbox_may_name_itself_by_either_address(instance_url: str) -> None:
    checked = RULES.check_instance_url(instance_url, logged_in_at="https://na.crm.test")
    assert checked == "https://na.crm.test"


@pytest.mark.parametrize(
    "instance_url", ["http://127.0.0.1:8101", "http://127.0.0.1:22", "https://169.254.169.254", "https://evil.example"]
)
def test_a_real_crm_cannot_name_an_instance_elsewhere(instance_url: str) -> None:
    with pytest.raises(ConfigurationError):
        RULES.check_instance_url(instance_url, logged_in_at="https://na.my.salesforce.com")


@pytest.mark.parametrize(
    "url",
    [
        "/services/data/v60.0/query/01gRM000000abcd-2000",
        "https://na.crm.test/services/data/v60.0/query/01gRM000000abcd-2000",
        "http://127.0.0.1:8101/services/data/v60.0/query/01gRM000000abcd-2000",
    ],
)
def test_the_next_page_may_be_named_by_path_or_by_the_same_host(url: str) -> None:
    path = RULES.check_next_path(url, origin="https://na.crm.test", root="/services/data/")
    assert path == "/services/data/v60.0/query/01gRM000000abcd-2000"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/services/data/v60.0/query/1",
        "//evil.example/services/data/v60.0/query/1",
        "/services/data/../../secur/logout",
        "/services/data//evil.example",
        "/services/data/%2e%2e/x",
        "/services/data/a\r\nX-Evil: 1",
        "/services/apexrest/x",
        "https://na.crm.test.evil.example/services/data/v60.0/query/1",
        "@evil.example/services/data/v60.0",
        "",
    ],
)
def test_the_next_page_cannot_lie_elsewhere(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RULES.check_next_path(url, origin="https://na.crm.test", root="/services/data/")
    assert caught.value.message.startswith("na.crm.test names a next page that lies outside its own API")


@pytest.mark.parametrize(
    ("reserved", "origin"),
    [
        ("https://na.my.salesforce.com", "http://127.0.0.1:8101"),
        ("http://na.crm.test", "http://127.0.0.1:8101"),
        ("https://na.crm.test/x", "http://127.0.0.1:8101"),
        ("https://na.crm.test", "http://10.0.0.1:8101"),
        ("https://na.crm.test", "http://evil.example"),
        ("https://na.crm.test", "ftp://127.0.0.1"),
        ("https://na.crm.test", "http://127.0.0.1:8101/path"),
    ],
)
def test_only_reserved_hosts_lead_to_a_sandbox_and_only_on_this_machine(reserved: str, origin: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        HostRules(allowed_suffixes=("salesforce.com",), sandbox_origins={reserved: origin})
    assert caught.value.remedy == "Correct the setting CRM_SANDBOX_ORIGINS."
