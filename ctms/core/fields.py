"""The model field for encrypted text, and what reading it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models

from ctms.core.encryption import decrypt, encrypt, get_key_id

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class StoredToken(str):
    """Ciphertext as the database holds it; a type of its own, so that it is not mistaken for plain text."""

    __slots__ = ()


class Secret:
    """A secret of one field of one record. Only `reveal()` returns its text; printing or comparing does not show it."""

    __slots__ = ("_context", "token")

    def __init__(self, *, token: StoredToken, context: str) -> None:
        self.token = token
        self._context = context

    def reveal(self) -> str:
        """Return the plain text. Raises EncryptionKeyError, see `ctms.core.encryption.decrypt`."""
        return decrypt(token=self.token, context=self._context)

    @property
    def key_id(self) -> str:
        """Id of the key that it is encrypted with. Raises EncryptionKeyError if the Vault did not write the value."""
        return get_key_id(token=self.token, context=self._context)

    def __bool__(self) -> bool:
        return bool(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __repr__(self) -> str:
        return "<Secret set>" if self.token else "<Secret empty>"

    __str__ = __repr__


class _SecretDescriptor:
    def __init__(self, field: EncryptedTextField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        token = instance.__dict__[self.field.attname]
        return Secret(token=token, context=self.field.build_context(instance))

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = self.field.seal(instance, value)


class EncryptedTextField(_TextField):
    """Text that is stored as AES-GCM ciphertext, which decrypts only in the same model, field and row (`uid`).

    Assigning text encrypts it at once; reading gives a `Secret`. The model must declare a `uid` before this field.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _SecretDescriptor(self))

    def build_context(self, instance: models.Model) -> str:
        """Return the encryption context: model, field and the row's uid, in one spelling of the uid."""
        uid = UUID(str(instance.uid))  # type: ignore[attr-defined]
        return f"{instance._meta.label_lower}.{self.attname}.{uid}"

    def seal(self, instance: models.Model, value: object) -> StoredToken:
        if isinstance(value, Secret):
            # A secret of another record is decrypted with that record's context and encrypted again with this one's.
            value = value.token if value._context == self.build_context(instance) else value.reveal()  # noqa: SLF001  same module
        if isinstance(value, StoredToken) or not value:
            return StoredToken(value or "")
        if not isinstance(value, str):
            raise TypeError(f"{self.attname} takes text, not {type(value).__name__}.")
        return StoredToken(encrypt(plaintext=value, context=self.build_context(instance)))

    def from_db_value(
        self,
        value: str | None,
        expression: object,  # noqa: ARG002  Django's signature
        connection: BaseDatabaseWrapper,  # noqa: ARG002  Django's signature
    ) -> StoredToken:
        return StoredToken(value or "")

    def get_prep_value(self, value: object) -> str:
        if isinstance(value, Secret):
            return str.__str__(value.token)
        if isinstance(value, StoredToken):
            return str.__str__(value)
        if not value:
            return ""
        raise TypeError(f"{self.attname} is encrypted for one row: save it through the record, not by update().")

    def value_to_string(self, obj: models.Model) -> str:
        """Return the ciphertext, which is what `dumpdata` writes."""
        return str.__str__(getattr(obj, self.attname).token)

    def to_python(self, value: object) -> object:
        return value
