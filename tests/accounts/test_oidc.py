"""Log-in through an OpenID Connect provider, which is a real one over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.test import Client, override_settings
from django.utils.html import escape

from ctms.accounts.models import OidcIdentity, User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from tests.accounts.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, run_provider
from tests.admin_forms import list_messages
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.system]


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with (
        run_provider() as provider,
        override_settings(
            OIDC_ISSUER=provider.issuer,
            OIDC_CLIENT_ID=CLIENT_ID,
            OIDC_CLIENT_SECRET=CLIENT_SECRET,
            OIDC_NAME="Acme ID",
            VAULT_BASE_URL="https://vault.example.org",
        ),
    ):
        yield provider


@pytest.fixture
def user() -> User:
    return UserFactory.create(email="Uma@example.org")


def begin(client: Client, **values: str) -> str:
    page = client.post("/login/oidc/", values)
    url = str(page.context["url"])
    assert f'<meta http-equiv="refresh" content="0;url={escape(url)}" />' in page.content.decode()
    return url


def come_back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "https://vault.example.org"
    return client.get(f"{parts.path}?{parts.query}", follow=True)


def log_in(provider: OidcProvider, client: Client, **values: str) -> Any:
    return come_back(client, provider.log_in(begin(client, **values)))


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def an_hour_ago() -> int:
    return int(time.time()) - 3600


def in_an_hour() -> int:
    return int(time.time()) + 3600


def test_a_user_of_that_verified_address_logs_in_and_is_linked(
    provider: OidcProvider, client: Client, user: User
) -> None:
    assert "Log in with Acme ID" in client.get("/login/").content.decode()
    answer = log_in(provider, client, next="/password/")
    assert answer.redirect_chain == [("/password/", 302)]
    assert answer.context["user"] == user
    identity = OidcIdentity.objects.get()
    assert (identity.user, identity.issuer, identity.subject) == (user, provider.issuer, "subject-1")
    actions = list(AuditEntry.objects.filter(record_uid=user.uid).values_list("action", flat=True)[:2])
    assert actions == [AuditAction.LOGGED_IN, AuditAction.EVENT]


def test_once_linked_the_subject_decides_and_not_the_address(
    provider: OidcProvider, client: Client, user: User
) -> None:
    log_in(provider, client)
    other = UserFactory.create(email="new@example.org")
    provider.claims |= {"email": "new@example.org"}
    client = Client()
    assert log_in(provider, client).context["user"] == user
    assert other.oidc_identities.count() == 0


def test_another_subject_of_the_same_address_is_somebody_else(
    provider: OidcProvider, client: Client, user: User
) -> None:
    log_in(provider, client)
    provider.claims |= {"sub": "subject-2"}
    client = Client()
    assert list_messages(log_in(provider, client)) == [
        "Your user of this Vault belongs to another identity of the provider. Ask an admin."
    ]
    assert not is_logged_in(client)


def test_what_was_typed_before_the_log_in_comes_back_too(provider: OidcProvider, client: Client, user: User) -> None:
    answer = log_in(provider, client, sent="subject=Call", next="/")
    assert '<input type="hidden" name="subject" value="Call" />' in answer.content.decode()


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"email_verified": False}, "has not verified your e-mail address"),
        ({"email_verified": "true"}, "has not verified your e-mail address"),
        ({"email": None}, "has not verified your e-mail address"),
        ({"email": "nobody@example.org"}, "No user of this Vault has your e-mail address."),
        ({"nonce": "of another log-in"}, "belongs to another log-in"),
        ({"nonce": None}, "belongs to another log-in"),
        ({"aud": "another-client"}, "answer is not valid"),
        ({"aud": [CLIENT_ID, "another-client"]}, "belongs to another log-in"),
        ({"azp": "another-client"}, "belongs to another log-in"),
        ({"iss": "https://elsewhere.example"}, "answer is not valid"),
        ({"exp": an_hour_ago}, "answer is not valid"),
        ({"iat": in_an_hour}, "answer is not valid"),
        ({"sub": None}, "answer is not valid"),
        ({"exp": None}, "answer is not valid"),
    ],
)
def test_a_token_that_is_not_right_logs_nobody_in(
    provider: OidcProvider, client: Client, user: User, claims: dict[str, Any], message: str
) -> None:
    # Times are read now: this may be long after the test was collected.
    provider.claims |= {name: value() if callable(value) else value for name, value in claims.items()}
    [shown] = list_messages(log_in(provider, client))
    assert message in shown
    assert not is_logged_in(client)
    assert not OidcIdentity.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.LOGIN_FAILED, actor_name="OpenID Connect").count() == 1


@pytest.mark.parametrize("forgery", ["another key", "the client's secret", "no signature"])
def test_a_token_that_the_provider_did_not_sign_logs_nobody_in(
    provider: OidcProvider, client: Client, user: User, forgery: str
) -> None:
    if forgery == "another key":
        provider.signing_key = generate_private_key(public_exponent=65537, key_size=2048)
    else:
        provider.algorithm = "HS256" if forgery == "the client's secret" else "none"
        provider.signing_key = CLIENT_SECRET * 2 if provider.algorithm == "HS256" else ""
    assert "answer is not valid" in list_messages(log_in(provider, client))[0]
    assert not is_logged_in(client)


def test_an_answer_with_another_state_is_not_taken(provider: OidcProvider, client: Client, user: User) -> None:
    """An attacker would otherwise log a victim in as the attacker."""
    of_attacker = provider.log_in(begin(Client()))
    begin(client)
    assert "does not belong to your log-in" in list_messages(come_back(client, of_attacker))[0]
    assert "begun in another browser" in list_messages(come_back(Client(), of_attacker))[0]
    assert not is_logged_in(client)


def test_an_answer_is_taken_once(provider: OidcProvider, client: Client, user: User) -> None:
    address = provider.log_in(begin(client))
    come_back(client, address)
    client.post("/logout/")
    come_back(client, address)
    assert not is_logged_in(client)


def test_a_refusal_of_the_provider_is_said(provider: OidcProvider, client: Client) -> None:
    begin(client)
    answer = client.get("/login/oidc/callback/?error=access_denied&state=x", follow=True)
    assert "The identity provider did not log you in." in list_messages(answer)[0]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [({"issuer": "https://elsewhere.example"}, "does not describe itself"), ({"jwks_uri": None}, "does not describe")],
)
def test_a_provider_that_describes_itself_wrongly_is_not_asked(
    provider: OidcProvider, client: Client, metadata: dict[str, Any], message: str
) -> None:
    provider.metadata = metadata
    assert message in list_messages(client.post("/login/oidc/", follow=True))[0]


def test_a_provider_that_is_away_leaves_passwords_and_what_was_typed(provider: OidcProvider, client: Client) -> None:
    with override_settings(OIDC_ISSUER="http://127.0.0.1:9"):
        answer = client.post("/login/oidc/", {"sent": "subject=Call", "next": "/password/"})
    page = answer.content.decode()
    assert 'name="sent" value="subject=Call"' in page
    assert 'name="next" value="/password/"' in page
    assert list_messages(answer) == [
        "The identity provider did not answer. Try again later, or log in with a password."
    ]


def test_an_inactive_user_is_not_let_in(provider: OidcProvider, client: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert list_messages(log_in(provider, client)) == ["Your user of this Vault is inactive. Ask an admin."]
    assert not is_logged_in(client)


def test_two_users_of_one_address_are_not_guessed_between(provider: OidcProvider, client: Client, user: User) -> None:
    UserFactory.create(email="uma@example.org")
    assert "Several users of this Vault have your e-mail address." in list_messages(log_in(provider, client))[0]


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("address", "is_hers"),
    [("UMA.SKI@Example.org", True), ("uma.sk\u0131@example.org", False), ("uma.\u017fki@example.org", False)],
)
def test_an_address_that_only_a_database_takes_for_the_same_is_another(
    provider: OidcProvider, client: Client, user: User, address: str, is_hers: bool
) -> None:
    """In capitals, a dotless i is an I, and a long s an S: whoever owns such an address is somebody else."""
    User.objects.filter(pk=user.pk).update(email="uma.ski@example.org")
    provider.claims |= {"email": address}
    log_in(provider, client)
    assert is_logged_in(client) is is_hers


def test_a_user_is_created_only_with_the_profile_that_a_setting_names(provider: OidcProvider, client: Client) -> None:
    profile = SecurityProfileFactory.create(api_name="read_only__c")
    provider.claims |= {"given_name": "Uma", "family_name": "New"}
    with override_settings(OIDC_SECURITY_PROFILE="read_only__c"):
        made = log_in(provider, client).context["user"]
    assert (made.username, made.security_profile, made.is_staff, made.is_superuser) == (
        "uma@example.org",
        profile,
        False,
        False,
    )
    assert (str(made), made.has_usable_password()) == ("Uma New", False)
    assert AuditEntry.objects.filter(record_uid=made.uid, action=AuditAction.CREATED).exists()


def test_a_required_second_factor_is_the_business_of_the_provider(
    provider: OidcProvider, client: Client, user: User
) -> None:
    with override_settings(TOTP="required"):
        assert log_in(provider, client).redirect_chain == [("/", 302)]


def test_without_a_provider_there_is_no_door(client: Client) -> None:
    assert "Log in with" not in client.get("/login/").content.decode()
    assert client.post("/login/oidc/").status_code == 404
    assert client.get("/login/oidc/callback/?code=x&state=y").status_code == 404
