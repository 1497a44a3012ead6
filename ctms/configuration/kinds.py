"""The kinds of fields, which say what a field holds.

Each has a module in `ctms.records.fields.kinds`, which registers it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from django.db import models

    from ctms.accounts.models import User

# Of a field that says nothing else, such as a property of a model.
DEFAULT_KIND = "text"


class UnknownKindError(VaultError):
    """No kind of that name is registered."""


class FieldKind:
    """What the configuration asks of a kind. `ctms.records.fields.kinds.base.Kind` says the rest."""

    name: ClassVar[str]
    label: ClassVar[str]
    # The classes of model fields that it stands for, unless a more specific class belongs to another kind.
    model_fields: ClassVar[tuple[type[models.Field[Any, Any]], ...]] = ()
    # What admins choose to add a custom field of it: stored name → label. Empty if they cannot.
    custom_names: ClassVar[Mapping[str, str]] = {}
    custom_max_length: ClassVar[int | None] = None  # characters of a custom field
    has_choices: ClassVar[bool] = False  # whether each field of it has a list of values
    refers_to_records: ClassVar[bool] = False
    always_has_value: ClassVar[bool] = False  # so that nothing is gained by requiring one
    can_identify: ClassVar[bool] = False  # whether a value may identify a person in a CRM
    is_yes_no: ClassVar[bool] = False
    is_wide: ClassVar[bool] = False  # takes a whole row of a form or page
    can_be_unique: ClassVar[bool] = False  # whether a custom field may ask for values that no other record has
    # Which properties of a custom field say more about its values: names of attributes of `CustomField`.
    options: ClassVar[frozenset[str]] = frozenset()
    audit_kind: ClassVar[str] = ""  # how the audit trail writes a value down; one of `ctms.audit.words`

    def build_sample(self, choices: Sequence[tuple[str, str]]) -> str:
        """Return a value for the preview of a layout; empty for kinds without a typical value."""
        return choices[0][1] if choices else ""

    def tell(self, *, stored: Any, labels: Mapping[str, str]) -> str:
        """Return a stored value in words for the audit trail; empty if it says it itself. `labels` are of choices."""
        del stored, labels
        return ""

    def read_default(self, *, text: str, field: Any, user: User) -> Any:
        """Return what JSON holds of a default that an admin typed for an `ObjectField`. Raises ValidationError."""
        raise NotImplementedError

    def show_default(self, *, stored: Any, field: Any) -> str:
        """Return a default as an admin types it; the reverse of `read_default`."""
        raise NotImplementedError

    def holds_choice(self, *, stored: Any, choice: str) -> bool:
        """Whether what JSON holds is, or contains, a value of the list."""
        return bool(stored == choice)

    def swap_choice(self, *, stored: Any, old: str, new: str) -> Any:
        """Return what JSON holds after one value of the list has taken the place of another."""
        return new if stored == old else stored

    def find_choices_problem(self, values: list[str]) -> str:
        """Return why a custom field cannot have these values to choose from; empty if it can."""
        if self.has_choices:
            return "" if values else f"A {self.label.lower()} needs at least one value to choose."
        if not values:
            return ""
        labels = " or ".join(kind.label for kind in list_kinds() if kind.has_choices and kind.custom_names)
        return f"The kind {self.label} has no values to choose. Remove them, or choose the kind {labels}."


_kinds: dict[str, FieldKind] = {}


def register_kind(kind: FieldKind) -> None:
    """Register a kind. Raises ValueError if another has its name, or a stored name of its custom fields."""
    for other in _kinds.values():
        if type(other) is not type(kind) and (other.name == kind.name or kind.custom_names.keys() & other.custom_names):
            raise ValueError(f"{kind.name} is the name of {type(other).__name__} already.")
    _kinds[kind.name] = kind


def remove_kind(name: str) -> None:
    """Forget a kind. For tests, which define kinds of their own."""
    del _kinds[name]


def get_kind(name: str) -> FieldKind:
    """Return the kind of that name. Raises UnknownKindError."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKindError(f"No field kind {name!r} is registered. Registered: {', '.join(_kinds)}.") from None


def list_kinds() -> list[FieldKind]:
    """Return all kinds, sorted by label."""
    return sorted(_kinds.values(), key=lambda kind: kind.label)


def find_custom_kind(stored: str) -> FieldKind:
    """Return the kind that custom fields have under a stored name. Raises UnknownKindError."""
    return next((kind for kind in _kinds.values() if stored in kind.custom_names), None) or get_kind(stored)


def list_custom_choices() -> list[tuple[str, str]]:
    """Return stored name and label of each kind that custom fields can have."""
    return [choice for kind in list_kinds() for choice in kind.custom_names.items()]


def find_model_kind(*, field_class: type[models.Field[Any, Any]], has_choices: bool) -> FieldKind:
    """Return the kind that stands for fields of a model, by the most specific of their classes."""
    fitting = [kind for kind in _kinds.values() if kind.has_choices == has_choices]
    for each in field_class.__mro__:
        for kind in fitting:
            if each in kind.model_fields:
                return kind
    return get_kind(DEFAULT_KIND)
