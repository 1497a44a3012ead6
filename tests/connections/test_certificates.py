"""Certificates for JWT bearer: made here, renewed with overlap, bound to the organisation, never shown with the key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from connections import certificates
from connections.certificates import (
    create_certificate,
    find_ending_certificate,
    list_certificates,
    retire_previous_certificate,
)
from connections.choices import GrantFlow
from connections.models import ConnectionAuthorization
from connections.secret_origins import list_lacking_secrets
from connections.services import save_connection
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.steps import apply_step, get_step
from ctms.core.clock import get_now
from tests.admin_forms import log_in_admin
from tests.factories.base import build_admin_actor
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def create_authorization(**values: Any) -> ConnectionAuthorization:
    authorization = AuthorizationFactory.create(grant_flow=GrantFlow.JWT_BEARER, consumer_secret="", **values)
    create_certificate(authorization=authorization, actor=build_admin_actor())
    return authorization


def test_the_recommended_flow_is_that_of_a_new_authorization() -> None:
    assert ConnectionAuthorization().grant_flow == GrantFlow.JWT_BEARER


def test_key_and_certificate_belong_together_and_have_at_least_2048_bits() -> None:
    authorization = create_authorization(name="NA integration")
    loaded = x509.load_pem_x509_certificate(authorization.certificate.encode())
    key = load_pem_private_key(authorization.private_key.reveal().encode(), password=None)
    public = loaded.public_key()
    assert isinstance(public, RSAPublicKey)
    assert public == key.public_key()
    assert public.key_size >= 2048
    assert "NA integration" in loaded.subject.rfc4514_string()


def test_a_renewed_certificate_replaces_the_one_before_it_only_when_it_has_logged_in() -> None:
    authorization = create_authorization()
    first, actor = authorization.certificate, build_admin_actor()
    create_certificate(authorization=authorization, actor=actor)
    second = authorization.next_certificate
    assert (authorization.certificate, second != first, len(list_certificates(authorization))) == (first, True, 2)

    assert not retire_previous_certificate(authorization=authorization, proven=first, actor=actor)
    assert retire_previous_certificate(authorization=authorization, proven=second, actor=actor)
    assert (authorization.certificate, authorization.next_certificate) == (second, "")
    assert not authorization.next_private_key


def test_a_certificate_that_was_created_since_is_not_taken_for_the_one_that_logged_in() -> None:
    authorization = create_authorization()
    actor = build_admin_actor()
    create_certificate(authorization=authorization, actor=actor)
    proven = authorization.next_certificate
    create_certificate(authorization=authorization, actor=actor)
    assert not retire_previous_certificate(authorization=authorization, proven=proven, actor=actor)


def test_the_database_has_no_renewal_of_no_certificate() -> None:
    authorization = create_authorization()
    authorization.certificate, authorization.next_certificate = "", "x"
    with pytest.raises(ValidationError, match="there is none that could be renewed"):
        save_record(record=authorization, actor=build_admin_actor())
    with pytest.raises(IntegrityError, match="authorization_renews_a_certificate"), transaction.atomic():
        save_record(record=authorization, actor=build_admin_actor(), validate=False)


def test_a_certificate_belongs_to_the_organisation_it_was_made_for() -> None:
    authorization = create_authorization()
    connection = ConnectionFactory.create(authorization=authorization)
    authorization.refresh_from_db()
    assert authorization.certificate_origin == connection.url
    assert list_lacking_secrets(authorization=authorization, url=connection.url) == []

    old, connection.url = connection.url, "https://other.my.salesforce.com"
    save_connection(connection=connection, actor=build_admin_actor())
    authorization.refresh_from_db()
    lacking = list_lacking_secrets(authorization=authorization, url=connection.url)
    assert [each.action for each in lacking] == ["Enter Connected App Details", "Create Certificate"]
    assert lacking[1].reason == f"has the certificate of {old}"

    create_certificate(authorization=authorization, actor=build_admin_actor())
    assert (authorization.next_certificate, authorization.certificate_origin) == ("", connection.url)


def test_one_is_told_in_time_that_a_certificate_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    authorization = create_authorization(name="Ending")
    ConnectionFactory.create(authorization=authorization)
    assert find_ending_certificate(authorization) is None
    later = get_now() + timedelta(days=certificates.VALID_DAYS - certificates.WARNING_DAYS + 1)
    monkeypatch.setattr(certificates, "get_now", lambda: later)
    assert find_ending_certificate(authorization) is not None
    assert "The certificate of Ending ends on" in get_step("credentials").read_state().reason


def test_the_console_creates_a_certificate_and_gives_it_out_without_the_key(client: Client) -> None:
    log_in_admin(client)
    authorization = AuthorizationFactory.create(name="NA integration")
    page = f"/admin/connections/connectionauthorization/{authorization.pk}"
    assert client.get(f"{page}/download-certificate/").status_code == 302
    client.get(f"{page}/create-certificate/")
    authorization.refresh_from_db()
    assert authorization.certificate == ""

    answer = client.post(f"{page}/create-certificate/", follow=True)
    authorization.refresh_from_db()
    page_text = answer.content.decode()
    assert "In use: valid until" in page_text
    assert f"Created on {authorization.certificate_created_at:%Y-%m-%d at %H:%M} UTC by" in page_text
    assert f"{page}/download-certificate/" in page_text
    sent = client.get(f"{page}/download-certificate/")
    assert sent.content.decode() == authorization.certificate
    assert sent["Content-Disposition"] == 'attachment; filename="na-integration.crt"'
    assert "PRIVATE KEY" not in answer.content.decode() + sent.content.decode()


def test_the_console_asks_only_for_what_jwt_bearer_needs(client: Client) -> None:
    log_in_admin(client)
    apply_step(step=get_step("connected_app_action"), actor=build_admin_actor())
    authorization = AuthorizationFactory.create()
    page = f"/admin/connections/connectionauthorization/{authorization.pk}/enter-connected-app-details/"
    client.post(page, {"consumer_key": "key-3", "grant_flow": "jwt_bearer", "audience": "test"})
    authorization.refresh_from_db()
    assert (authorization.grant_flow, authorization.audience) == ("jwt_bearer", "test")
    assert (authorization.consumer_key.reveal(), bool(authorization.consumer_secret)) == ("key-3", False)
    refused = client.post(page, {"consumer_key": "key-3", "grant_flow": "client_credentials"})
    assert refused.context["form"].errors == {"consumer_secret": ["This field is required."]}


def test_no_private_key_is_in_the_history() -> None:
    authorization = create_authorization()
    create_certificate(authorization=authorization, actor=build_admin_actor())
    told = "".join(str(row) for row in AuditEntry.objects.values_list())
    for secret in (authorization.private_key, authorization.next_private_key):
        assert secret.reveal().splitlines()[1] not in told
    assert "PRIVATE KEY" not in told
