from __future__ import annotations

import json
import pickle
import uuid

import pytest
from django.core import serializers
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from connections.models import ConnectionAuthorization
from ctms.audit.services import save_record
from ctms.clinical.models import Study
from ctms.core.encryption import create_key, decrypt
from ctms.core.errors import EncryptionKeyError
from ctms.core.fields import EncryptedTextField, Secret
from ctms.core.models import allow_record_writes
from tests.factories.base import build_admin_actor
from tests.factories.connections import AuthorizationFactory

pytestmark = pytest.mark.both_databases

CANARY = "canary-7f3a-of-tests"
TABLE = ConnectionAuthorization._meta.db_table


def read_column(*, column: str, pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {TABLE} WHERE id = %s", [pk])  # noqa: S608  names from this file
        value: str = cursor.fetchone()[0]
        return value


def write_column(*, column: str, pk: int, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET {column} = %s WHERE id = %s", [value, pk])  # noqa: S608  names from this file


def get(record: ConnectionAuthorization) -> ConnectionAuthorization:
    return ConnectionAuthorization.objects.get(pk=record.pk)


@pytest.mark.django_db
def test_the_database_holds_only_ciphertext() -> None:
    authorization = AuthorizationFactory.create(password=CANARY)
    stored = read_column(column="password", pk=authorization.pk)
    assert stored.startswith("v1.test.")
    assert CANARY not in stored
    assert get(authorization).password.reveal() == CANARY


@pytest.mark.django_db
@given(text=st.text(min_size=1))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_text_comes_back_from_the_database(text: str) -> None:
    authorization = AuthorizationFactory.create(password=text)
    assert get(authorization).password.reveal() == text


@pytest.mark.django_db
def test_ciphertext_copied_to_another_row_does_not_decrypt() -> None:
    rich, poor = AuthorizationFactory.create(password=CANARY), AuthorizationFactory.create()
    write_column(column="password", pk=poor.pk, value=read_column(column="password", pk=rich.pk))
    with pytest.raises(EncryptionKeyError, match="copied from another record"):
        get(poor).password.reveal()


@pytest.mark.django_db
def test_ciphertext_copied_to_another_field_does_not_decrypt() -> None:
    authorization = AuthorizationFactory.create(password=CANARY)
    write_column(
        column="consumer_secret", pk=authorization.pk, value=read_column(column="password", pk=authorization.pk)
    )
    with pytest.raises(EncryptionKeyError, match="copied from another record"):
        get(authorization).consumer_secret.reveal()


def test_ciphertext_copied_to_another_model_does_not_decrypt() -> None:
    uid = uuid.uuid4()
    authorization = ConnectionAuthorization(uid=uid, password=CANARY)
    field = ConnectionAuthorization._meta.get_field("password")
    assert isinstance(field, EncryptedTextField)
    assert decrypt(token=authorization.password.token, context=field.build_context(authorization)) == CANARY
    with pytest.raises(EncryptionKeyError):
        decrypt(token=authorization.password.token, context=field.build_context(Study(uid=uid)))


@pytest.mark.django_db
def test_a_uid_given_as_text_binds_like_the_uid_that_is_read_back() -> None:
    uid = uuid.uuid4()
    authorization = ConnectionAuthorization(uid=uid.hex.upper(), name="A", username="a", password=CANARY)
    save_record(record=authorization, actor=build_admin_actor())
    assert get(authorization).password.reveal() == CANARY


def test_a_secret_shows_itself_nowhere_but_in_reveal() -> None:
    secret = ConnectionAuthorization(password=CANARY).password
    shown = [str(secret), repr(secret), f"{secret} {secret!r}", str([secret]), str({"password": secret})]
    assert [text for text in shown if CANARY in text or secret.token in text] == []
    assert CANARY.encode() not in pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret.reveal() == CANARY


def test_secrets_are_equal_only_as_the_same_ciphertext() -> None:
    authorization = ConnectionAuthorization(password=CANARY)
    first = authorization.password
    assert first == authorization.password
    assert len({first, authorization.password}) == 1
    assert first != CANARY
    authorization.password = CANARY
    assert authorization.password != first


def test_a_secret_is_true_if_one_is_set() -> None:
    authorization = ConnectionAuthorization(password=CANARY)
    assert [bool(authorization.password), bool(authorization.consumer_key)] == [True, False]
    assert [repr(authorization.password), repr(authorization.consumer_key)] == ["<Secret set>", "<Secret empty>"]


def test_a_secret_assigned_from_another_record_is_encrypted_anew_for_this_one() -> None:
    source, target = ConnectionAuthorization(password=CANARY), ConnectionAuthorization()
    target.password = source.password
    assert target.password.token != source.password.token
    assert target.password.reveal() == CANARY


def test_a_secret_assigned_to_its_own_field_stays_the_same_ciphertext() -> None:
    authorization = ConnectionAuthorization(password=CANARY)
    secret: Secret = authorization.password
    authorization.password = secret
    assert authorization.password == secret


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="password takes text, not int"):
        ConnectionAuthorization(password=5)  # type: ignore[misc]


@pytest.mark.django_db
def test_plain_text_never_reaches_the_database_through_update() -> None:
    authorization = AuthorizationFactory.create()
    with allow_record_writes(), pytest.raises(TypeError, match="save it through the record"):
        ConnectionAuthorization.objects.filter(pk=authorization.pk).update(password=CANARY)


@pytest.mark.django_db
def test_a_deferred_secret_is_read_when_asked_for() -> None:
    authorization = AuthorizationFactory.create(password=CANARY)
    for query in (ConnectionAuthorization.objects.defer("password"), ConnectionAuthorization.objects.only("password")):
        assert query.get(pk=authorization.pk).password.reveal() == CANARY


@pytest.mark.django_db
def test_with_a_wrong_key_reading_fails_and_saving_erases_nothing(settings: Settings) -> None:
    authorization = AuthorizationFactory.create(password=CANARY)
    right, stored = settings.FIELD_ENCRYPTION_KEYS, read_column(column="password", pk=authorization.pk)

    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="test")]
    found = get(authorization)
    with pytest.raises(EncryptionKeyError, match=r"Nothing was changed\.$"):
        found.password.reveal()
    found.username = "somebody.else@crm.example.com"
    save_record(record=found, actor=build_admin_actor())

    assert read_column(column="password", pk=authorization.pk) == stored
    settings.FIELD_ENCRYPTION_KEYS = right
    assert get(authorization).password.reveal() == CANARY


@pytest.mark.django_db
def test_a_dump_holds_ciphertext() -> None:
    authorization = AuthorizationFactory.create(password=CANARY)
    dumped = json.loads(serializers.serialize("json", [authorization]))[0]["fields"]
    assert dumped["password"] == authorization.password.token
