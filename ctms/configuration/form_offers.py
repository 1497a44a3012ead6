"""What forms of new records offer beyond an input for each field: likely choices first, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q

if TYPE_CHECKING:
    from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """Records that are likely to be meant. `told` says why, such as `Principal investigator, 03201`.

    Those of the groups with `is_together` can be chosen in one step.
    """

    condition: Q
    told: str = ""
    is_together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelyChoices:
    """Which choices of a reference come first, by other references of the record; all others can be chosen as well.

    `build` takes the records that the references `by` name, those that the user sees, and returns the groups in their
    order. `together` is what the groups that can be chosen in one step are called.
    """

    by: tuple[str, ...]
    build: Callable[[Mapping[str, Any], User], Sequence[Likely]]
    together: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A further record that a form saves with the new one, on a day to come, such as the next call.

    `day` is the API name of its date, `text` that of a text of its own, such as the subject; left empty, it is that of
    the new record. `without` names the fields that it does not take over. `build` takes the user and returns the values
    that differ, as API name → value.
    """

    day: str
    text: str
    without: tuple[str, ...] = ()
    build: Callable[[User], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Records whose words the form of a new record offers.

    `of_object` is the API name of their object, `by` the reference that both have, such as the study; `words` are the
    fields that are taken over, which both have under the same names. Nothing that was typed is overwritten.
    """

    of_object: str
    by: str
    words: tuple[str, ...]
