from __future__ import annotations

import contextlib
import ipaddress
import re
import socket

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from connections.validators import clean_connection_url, is_host_allowed

HOST = "na.my.salesforce.com"

# -- Anything that might be typed or pasted -------------------------------------------------------
KELVIN, FULL_WIDTH, ARABIC_443 = "tes\N{KELVIN SIGN}", "\N{FULLWIDTH LATIN SMALL LETTER N}a", ":\u0664\u0664\u0663"
PIECES = st.sampled_from(
    [
        *["", "https://", "HTTPS://", "http://", "https:/", "https:", "//", "/", "\\", "@", "user:pw@", ":", ":443"],
        *[
            ":0443",
            "?",
            "#",
            "?q",
            "#f",
            ";x",
            "/login",
            ".",
            "..",
            "*",
            "*.",
            "-",
            "_",
            "%2e",
            "%00",
            "\t",
            "\n",
            "\0",
        ],
        *[" ", "[", "]", "[::1]", "[v1.salesforce.com]", "[::ffff:127.0.0.1]", "127.0.0.1", "0x7f.1", "2130706433"],
        *["evil.com", "salesforce.com", "notsalesforce.com", "veeva.com", "na.crm.test", "xn--", HOST, HOST.upper()],
        *[KELVIN, FULL_WIDTH, ARABIC_443],
    ]
)
TYPED = st.one_of(
    st.lists(PIECES, max_size=5).map("".join),
    st.lists(PIECES, max_size=3).map(lambda pieces: f"https://{''.join(pieces)}"),
    st.tuples(PIECES, PIECES, PIECES).map(lambda pieces: f"{pieces[0]}https://{pieces[1]}{HOST}{pieces[2]}"),
    st.text(),
)


def test_the_standard_port_written_out_is_the_same_address_and_so_the_same_organisation() -> None:
    assert clean_connection_url(f"https://{HOST}:443") == f"https://{HOST}"
    assert clean_connection_url(f"https://{HOST}:443/") == f"https://{HOST}"
    with pytest.raises(ValidationError, match="remove :0443"):
        clean_connection_url(f"https://{HOST}:0443")


@given(typed=TYPED)
@example(typed=f"https://{HOST}")
@example(typed=f" HTTPS://{HOST.upper()}/ ")
def test_what_is_accepted_is_https_and_an_allowed_name_and_was_typed_so(typed: str) -> None:
    try:
        url = clean_connection_url(typed)
    except ValidationError:
        return
    assert typed.strip().lower() in (url, f"{url}/")
    assert re.fullmatch(r"https://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", url)
    assert is_host_allowed(url.removeprefix("https://"))
    assert clean_connection_url(url) == url


# -- Addresses ------------------------------------------------------------------------------------
def write_ipv4(address: int) -> st.SearchStrategy[str]:
    """Return notations of an address that some resolver accepts."""
    octets = address.to_bytes(4, "big")
    formats = ["{:d}", "{:#x}", "{:#X}", "0{:o}", "{:03d}"]
    part = st.sampled_from(formats)
    return st.one_of(
        st.just(str(ipaddress.IPv4Address(address))),
        part.map(lambda form: form.format(address)),
        part.map(lambda form: f"{octets[0]}.{form.format(address & 0xFFFFFF)}"),
        part.map(lambda form: f"{octets[0]}.{octets[1]}.{form.format(address & 0xFFFF)}"),
        st.lists(part, min_size=4, max_size=4).map(
            lambda forms: ".".join(form.format(octet) for form, octet in zip(forms, octets, strict=True))
        ),
    )


def write_ipv6(address: int) -> st.SearchStrategy[str]:
    made = ipaddress.IPv6Address(address)
    mapped = ipaddress.IPv6Address(0xFFFF00000000 | (address & 0xFFFFFFFF))
    written = [made.compressed, made.exploded, mapped.compressed, f"::ffff:{mapped.ipv4_mapped}", f"{made}%eth0"]
    return st.sampled_from([f"[{text}]" for text in written] + [made.compressed])


ADDRESSES = st.one_of(
    st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0x7F000001, 0x0A000001, 0xA9FEA9FE])).flatmap(write_ipv4),
    st.one_of(st.integers(0, 2**128 - 1), st.just(1)).flatmap(write_ipv6),
)


@given(address=ADDRESSES, dot=st.sampled_from(["", "."]))
def test_an_address_is_refused_in_every_notation_even_where_its_text_is_allowed(address: str, dot: str) -> None:
    with (
        override_settings(CRM_ALLOWED_HOST_SUFFIXES=[address, address.strip("[]")]),
        pytest.raises(ValidationError),
    ):
        clean_connection_url(f"https://{address}{dot}")


@given(typed=TYPED)
def test_what_is_accepted_is_no_address_to_the_resolver(typed: str) -> None:
    with contextlib.suppress(ValidationError):
        host = clean_connection_url(typed).removeprefix("https://")
        with pytest.raises(OSError, match="illegal IP address"):
            socket.inet_aton(host)


# -- What people do wrong, and what they are told -------------------------------------------------
EXAMPLE = "Enter it as https://your-org.my.salesforce.com."
NOT_ALLOWED = (
    "is not among the hosts that this Vault may connect to (salesforce.com, force.com, veeva.com, veevacrm.com). "
    "IT operations can add a suffix to CRM_ALLOWED_HOST_SUFFIXES."
)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "The URL must start with https://; nothing is sent unencrypted."),
        (HOST, "The URL must start with https://; nothing is sent unencrypted."),
        (f"http://{HOST}", "The URL must start with https://; nothing is sent unencrypted."),
        ("https://", f"The URL names no host. {EXAMPLE}"),
        ("https://:443", f"The URL names no host. {EXAMPLE}"),
        (f"https://{HOST}:8443", "Only the standard HTTPS port is allowed: remove :8443 from the URL."),
        (f"https://{HOST}:", "Only the standard HTTPS port is allowed: remove : from the URL."),
        (f"https://{HOST}:99999", f"This is not a valid URL. {EXAMPLE}"),
        (
            f"https://user:pw@{HOST}",
            "The URL must not contain a user name or password; store them in the Authorization.",
        ),
        (f"https://@{HOST}", "The URL must not contain a user name or password; store them in the Authorization."),
        (f"https://{HOST}/login", "Enter the host alone: remove what follows it (path, query or fragment)."),
        (f"https://{HOST}?", "Enter the host alone: remove what follows it (path, query or fragment)."),
        (f"https://{HOST}/#", "Enter the host alone: remove what follows it (path, query or fragment)."),
        (f"https://{HOST}?x=1", "Enter the host alone: remove what follows it (path, query or fragment)."),
        ("https://127.0.0.1", "Enter the organisation's host name; IP addresses are refused."),
        ("https://[::1]", "Enter the organisation's host name; IP addresses are refused."),
        ("https://[v1.salesforce.com]", "Enter the organisation's host name; IP addresses are refused."),
        ("https://[::1", f"This is not a valid URL. {EXAMPLE}"),
        ("https://0x7f.1", "Enter the organisation's host name; IP addresses are refused."),
        ("https://*.salesforce.com", "Wildcards are refused: enter the organisation's full host name."),
        ("https://localhost", f"'localhost' is not a full host name. {EXAMPLE}"),
        ("https://na.salesforce.com.", f"'na.salesforce.com.' is not a full host name. {EXAMPLE}"),
        ("https://na..salesforce.com", f"'na..salesforce.com' is not a full host name. {EXAMPLE}"),
        ("https://-na.salesforce.com", f"'-na.salesforce.com' is not a full host name. {EXAMPLE}"),
        (
            f"https://{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 60}.salesforce.com",
            f"'{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 60}.salesforce.com' is not a full host name. {EXAMPLE}",
        ),
        (
            f"https://na\t.{HOST}",
            f"The URL contains a space or a character that URLs do not have. {EXAMPLE}",
        ),
        (
            f"https://{KELVIN}.salesforce.com",
            f"The URL contains a space or a character that URLs do not have. {EXAMPLE}",
        ),
        (
            "https://salesforce.com.evil.com",
            f"salesforce.com.evil.com {NOT_ALLOWED}",
        ),
        (
            "https://notsalesforce.com",
            f"notsalesforce.com {NOT_ALLOWED}",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(typed: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        clean_connection_url(typed)
    assert raised.value.messages == [message]


@pytest.mark.parametrize("suffixes", [[""], ["."], [" "], ["", "force.com"], []])
@pytest.mark.parametrize("host", ["", ".", "evil.com", "evil.com.", "xforce.com"])
def test_an_empty_suffix_allows_nothing(suffixes: list[str], host: str) -> None:
    with override_settings(CRM_ALLOWED_HOST_SUFFIXES=suffixes):
        assert is_host_allowed(host) is False


@pytest.mark.parametrize("suffix", ["example.org", ".example.org", " Example.ORG "])
def test_a_suffix_is_matched_on_whole_labels_however_it_is_written(suffix: str) -> None:
    with override_settings(CRM_ALLOWED_HOST_SUFFIXES=[suffix]):
        hosts = ["example.org", "na.example.org", "notexample.org", "example.org.evil.com"]
        assert [is_host_allowed(host) for host in hosts] == [True, True, False, False]


def test_a_host_of_the_sandbox_is_allowed_while_it_is_mapped() -> None:
    with override_settings(CRM_SANDBOX_ORIGINS={"na.crm.test": "http://127.0.0.1:8101"}):
        assert clean_connection_url("https://na.crm.test") == "https://na.crm.test"
    with override_settings(CRM_SANDBOX_ORIGINS={}), pytest.raises(ValidationError, match=r"na\.crm\.test is not among"):
        clean_connection_url("https://na.crm.test")
