"""Writes from the admin: the actor, the expected version, and refusals as errors of the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.urls import reverse

from ctms.accounts.addresses import get_client_address
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.reasons import read_reason
from ctms.audit.services import save_record
from ctms.core.errors import UnauditedWriteError, VaultError
from ctms.core.models import AuditedModel


class SaveRefusedError(Exception):
    """A save was refused; `refusals` has the errors by form prefix."""

    def __init__(self, refusals: dict[str | None, ValidationError]) -> None:
        super().__init__("; ".join(message for error in refusals.values() for message in error.messages))
        self.refusals = refusals


def get_user(request: HttpRequest) -> User:
    """Return the user of a request. Raises TypeError if nobody is logged in."""
    if not isinstance(request.user, User):
        raise TypeError("Nobody is logged in.")
    return request.user


def build_actor(request: HttpRequest) -> Actor:
    """Return the user of the request as an actor who writes through the admin."""
    return Actor(
        user=get_user(request),
        source="admin",
        address=get_client_address(request),
        reason=read_reason(request),
    )


def try_write(write: Callable[[], object]) -> ValidationError | None:
    """Call `write` in a transaction; return the error, and write nothing, if it is refused."""
    try:
        with transaction.atomic():
            write()
    except UnauditedWriteError:
        raise
    except ValidationError as error:
        return error
    except VaultError as error:
        return ValidationError(str(error))
    except IntegrityError:
        # The record was validated, so only another write in between can have broken a constraint.
        return ValidationError("Somebody else saved a record that this one contradicts at the same moment. Save again.")
    return None


def save_child(*, form: Any, actor: Actor) -> None:
    """Save the record of one row of an inline table."""
    save_record(record=form.instance, actor=actor, expected_version=get_expected_version(form))


def get_expected_version(form: Any) -> int | None:
    """Return the version that the form was filled from; None for a new record."""
    adding = form.instance._state.adding  # noqa: SLF001  Django's documented API
    return None if adding else int(form.cleaned_data["read_version"])


def build_audit_trail_url(record: AuditedModel | User) -> str:
    """Return the address of a record's entries in the audit trail."""
    return f"{reverse('admin:audit_auditentry_changelist')}?record_uid__exact={record.uid}"
