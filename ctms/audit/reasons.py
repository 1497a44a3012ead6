"""Which changes need a reason. An app registers the rules; the audited writer refuses what lacks one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.db import models

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from django.http import HttpRequest

PARAMETER = "change_reason"
HEADER = "X-Change-Reason"
LONGEST_REASON = 500

# Returns attribute or API name of a custom field → label, of the fields of a model whose changes need a reason. The
# empty name stands for the deletion of a record.
ReasonRules = Callable[[type[models.Model]], dict[str, str]]
_rules: list[ReasonRules] = []  # one at most


class ReasonRequiredError(ValidationError, VaultError):
    """A change lacks the reason that an admin asks for; nothing was written. `labels` say what was to be changed."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = list(labels)
        super().__init__(f"Reason for change: say why {', '.join(self.labels)} is changed.")

    def __str__(self) -> str:
        return " ".join(self.messages)


def register_reason_rules(rules: ReasonRules) -> None:
    """Say which changes need a reason. Called once, from `AppConfig.ready()`."""
    _rules[:] = [rules]


def list_reasoned(model: type[models.Model]) -> dict[str, str]:
    """Return name → label of the fields of a model whose changes need a reason; the empty name is the deletion."""
    return _rules[0](model) if _rules else {}


def require_reason(*, model: type[models.Model], names: Iterable[str], user: User, reason: str) -> None:
    """Raise ReasonRequiredError if one of the changed fields needs a reason and there is none.

    Jobs that write as *System*, such as the transfer, need none: their entries name the run.
    """
    if reason.strip() or user.username == SYSTEM_USERNAME:
        return
    reasoned = list_reasoned(model)
    if missing := [reasoned[name] for name in dict.fromkeys(names) if name in reasoned]:
        raise ReasonRequiredError(missing)


def read_reason(request: HttpRequest) -> str:
    """Return the reason that a request gives: the input of a form, or the header, percent-encoded, over the API."""
    text: Any = request.POST.get(PARAMETER) or unquote(request.headers.get(HEADER, ""))
    return str(text).replace("\0", "").strip()[:LONGEST_REASON]
