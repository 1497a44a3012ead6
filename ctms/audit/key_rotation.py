"""Replaces the key that secrets are encrypted with. It is in this app because it writes records and audit entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import transaction

from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.core.encryption import get_primary_key_id
from ctms.core.errors import EncryptionKeyError
from ctms.core.fields import EncryptedTextField, Secret
from ctms.core.models import AuditedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationReport:
    """Counts of the secrets of one field; `field` is e.g. `connections.ConnectionAuthorization.password`."""

    field: str
    encrypted_anew: int
    already_current: int


def rotate_encryption_keys(*, actor: Actor) -> list[RotationReport]:
    """Encrypt every secret that another key encrypts with the first key of the ring.

    Each record is a transaction of its own, so that the Vault keeps working meanwhile and an interrupted rotation can
    be run again. Raises EncryptionKeyError, before anything is changed, if a secret cannot be read with the present
    keys.
    """
    models = _list_models()
    for model, names in models.items():
        _require_readable(model=model, names=names)
    key_id = get_primary_key_id()
    return [
        report
        for model, names in models.items()
        for report in _rotate_model(model=model, names=names, actor=actor, key_id=key_id)
    ]


def find_unreadable() -> tuple[int, list[str]]:
    """Return how many secrets are stored, and those that the present keys cannot read: field and UID, no value."""
    count, unreadable = 0, []
    for model, names in _list_models().items():
        for record in model._base_manager.order_by("pk").iterator():
            for name, secret in _list_secrets(record=record, names=names).items():
                count += 1
                try:
                    secret.reveal()
                except EncryptionKeyError:
                    unreadable.append(f"{model._meta.verbose_name} {record.uid}, {name}")
    return count, unreadable


def _list_models() -> dict[type[AuditedModel], list[str]]:
    """Return the models that have encrypted fields, with the names of these fields."""
    found: dict[type[AuditedModel], list[str]] = {}
    for model in apps.get_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)]
        if names and issubclass(model, AuditedModel):
            found[model] = names
    return found


def _require_readable(*, model: type[AuditedModel], names: list[str]) -> None:
    for record in model._base_manager.order_by("pk").iterator():
        for secret in _list_secrets(record=record, names=names).values():
            try:
                secret.reveal()
            except EncryptionKeyError as error:
                raise EncryptionKeyError(f"{record} ({record.uid}): {error}") from error


def _rotate_model(
    *, model: type[AuditedModel], names: list[str], actor: Actor, key_id: str
) -> Iterator[RotationReport]:
    anew, current = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for pk in list(model._base_manager.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            record = model._base_manager.select_for_update().filter(pk=pk).first()
            if record is None:
                continue  # deleted since the keys were listed
            for name, secret in _list_secrets(record=record, names=names).items():
                if secret.key_id == key_id:
                    current[name] += 1
                else:
                    setattr(record, name, secret.reveal())
                    anew[name] += 1
            save_record(record=record, actor=actor, reason=f"Encrypted with the key {key_id}", validate=False)
    for name in names:
        yield RotationReport(
            field=f"{model._meta.label}.{name}", encrypted_anew=anew[name], already_current=current[name]
        )


def _list_secrets(*, record: AuditedModel, names: list[str]) -> dict[str, Secret]:
    secrets = {name: getattr(record, name) for name in names}
    return {name: secret for name, secret in secrets.items() if secret}
