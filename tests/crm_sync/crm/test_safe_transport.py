"""The address is checked on the socket that carries the call; environment and proxies do not change its way."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.hosts import HostRules
from crm_sync.crm.safe_transport import CheckedAdapter, is_local_address, is_public_address, open_session
from tests.crm_sync.certificates import Authority
from tests.crm_sync.scripted_server import Reply, ScriptedServer, run_scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with run_scripted_server() as script:
        yield script


class NameService:
    """Answers look-ups from a list and counts them, like a name server that an attacker controls."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *args: Any) -> list[Any]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [found for address in answer for found in socket.getaddrinfo(address, port, *args)]


def open_with(adapter: CheckedAdapter, *, verify: str | bool = True) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = verify
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


@pytest.mark.parametrize("address", ["13.110.54.12", "8.8.8.8", "2a00:1450:4001::1", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_allowed(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address)) is True


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104  an address to refuse
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:808:808::",
        "2001::1",
        "2001:db8::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff0e::1",
    ],
)
def test_every_other_address_is_refused(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address)) is False


def test_a_refused_address_gets_no_connection_at_all(server: ScriptedServer) -> None:
    session = open_with(CheckedAdapter(is_allowed=is_public_address, pool_size=1))
    with pytest.raises(ConfigurationError) as caught:
        session.get(f"{server.origin}/secret")
    assert caught.value.message == "127.0.0.1 leads to the address 127.0.0.1, which is not one that a CRM may have."
    assert (server.connections, server.received) == (0, [])


def test_one_bad_address_among_good_ones_is_enough_to_refuse(server: ScriptedServer) -> None:
    names = NameService(["127.0.0.1", "169.254.169.254"])
    session = open_with(CheckedAdapter(is_allowed=is_local_address, pool_size=1, resolve=names))
    with pytest.raises(ConfigurationError, match=r"na\.crm\.example leads to the address 169\.254\.169\.254"):
        session.get(server.origin.replace("127.0.0.1", "na.crm.example"))
    assert server.connections == 0


def test_a_name_that_changes_its_answer_is_asked_once_per_connection(server: ScriptedServer) -> None:
    names = NameService(["127.0.0.1"], ["169.254.169.254"])
    session = open_with(CheckedAdapter(is_allowed=is_local_address, pool_size=1, resolve=names))
    url = server.origin.replace("127.0.0.1", "na.crm.example")
    server.replies = [Reply({"first": 1}), Reply({"second": 2}, headers={"Connection": "close"})]
    assert session.get(url).json() == {"first": 1}
    assert session.get(url).json() == {"second": 2}
    assert names.asked == ["na.crm.example"]
    with pytest.raises(ConfigurationError):
        session.get(url)
    assert names.asked == ["na.crm.example", "na.crm.example"]


def test_the_next_address_is_tried_when_one_does_not_answer(server: ScriptedServer) -> None:
    names = NameService(["127.0.0.3", "127.0.0.1"])
    session = open_with(CheckedAdapter(is_allowed=is_local_address, pool_size=1, resolve=names))
    server.replies = [Reply({"ok": True})]
    assert session.get(server.origin.replace("127.0.0.1", "na.crm.example")).json() == {"ok": True}


def test_the_certificate_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.make_server_context("na.crm.example")
    names_in_greeting: list[str | None] = []

    def note_name(_socket: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        names_in_greeting.append(name)

    context.sni_callback = note_name
    with run_scripted_server(tls=context) as server:
        server.replies = [Reply({"ok": True})]
        port = server.origin.rpartition(":")[2]
        adapter = CheckedAdapter(is_allowed=is_local_address, pool_size=1, resolve=NameService(["127.0.0.1"]))
        session = open_with(adapter, verify=str(authority.bundle))
        assert session.get(f"https://na.crm.example:{port}/").json() == {"ok": True}
        with pytest.raises(requests.exceptions.SSLError, match="Hostname mismatch"):
            session.get(f"https://eu.crm.example:{port}/")
    assert names_in_greeting == ["na.crm.example", "eu.crm.example"]


def test_a_session_opens_no_scheme_or_host_but_https_and_its_sandboxes(server: ScriptedServer) -> None:
    rules = HostRules(allowed_suffixes=("example",), sandbox_origins={"https://na.crm.test": server.origin})
    with open_session(rules=rules, ca_bundle=None, pool_size=1) as session:
        server.replies = [Reply({"ok": True})]
        assert session.get(f"{server.origin}/").json() == {"ok": True}
        for url in ("http://na.crm.example/", "http://127.0.0.1/", "file:///etc/passwd", f"{server.origin}1/"):
            with pytest.raises((requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)):
                session.get(url)


@pytest.mark.parametrize(
    ("url", "address"), [("https://na.my.salesforce.com/", "127.0.0.1"), ("http://localhost:8101/", "13.110.54.12")]
)
def test_real_hosts_are_public_and_sandboxes_are_local(monkeypatch: pytest.MonkeyPatch, url: str, address: str) -> None:
    find_address = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest: find_address(address, *rest))
    rules = HostRules(
        allowed_suffixes=("salesforce.com",), sandbox_origins={"https://na.crm.test": "http://localhost:8101"}
    )
    with open_session(rules=rules, ca_bundle=None, pool_size=1) as session, pytest.raises(ConfigurationError) as caught:
        session.get(url)
    assert f"leads to the address {address}, which is not one that a CRM may have." in caught.value.message


def test_the_environment_changes_neither_proxy_nor_certificates(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    rules = HostRules(allowed_suffixes=(), sandbox_origins={"https://na.crm.test": server.origin})
    with open_session(rules=rules, ca_bundle=None, pool_size=1) as session:
        server.replies = [Reply({"ok": True})]
        assert session.get(f"{server.origin}/").json() == {"ok": True}
        settings = session.merge_environment_settings("https://na.crm.example", {}, stream=True, verify=None, cert=None)
    assert settings["verify"] is True
    assert dict(settings["proxies"]) == {}


def test_a_proxy_is_refused_even_if_asked_for(server: ScriptedServer) -> None:
    session = open_with(CheckedAdapter(is_allowed=is_local_address, pool_size=1))
    with pytest.raises(ConfigurationError, match="do not go through a proxy"):
        session.get(server.origin, proxies={"http": "http://127.0.0.1:9"})


def test_cookies_are_not_kept(server: ScriptedServer) -> None:
    rules = HostRules(allowed_suffixes=(), sandbox_origins={"https://na.crm.test": server.origin})
    with open_session(rules=rules, ca_bundle=None, pool_size=1) as session:
        server.replies = [Reply({}, headers={"Set-Cookie": "sid=abc; Path=/"}), Reply({})]
        session.get(f"{server.origin}/")
        session.get(f"{server.origin}/")
    assert "Cookie" not in server.received[1].headers


def test_the_libraries_log_no_query(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    rules = HostRules(allowed_suffixes=(), sandbox_origins={"https://na.crm.test": server.origin})
    with (
        caplog.at_level(logging.DEBUG, "urllib3.connectionpool"),
        open_session(rules=rules, ca_bundle=None, pool_size=1) as session,
    ):
        server.replies = [Reply({})]
        session.get(f"{server.origin}/services/data/v60.0/query?q=PERSON-42")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert lines[-1] == f'{server.origin} "GET /services/data/v60.0/query HTTP/1.1" 200 2'
    assert "PERSON-42" not in caplog.text
