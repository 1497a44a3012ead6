"""The people of clinical trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat, Trim

from ctms.clinical.choices import PersonType
from ctms.core.models import VaultRecord
from ctms.core.text.expressions import collate
from ctms.core.value_fields import LanguageField, PhoneField


class Person(VaultRecord):
    """A person with whom study teams interact; *Investigator* is one of the object types."""

    object_name = "person__sys"

    first_name = models.CharField(max_length=64, blank=True, default="")
    last_name = models.CharField(max_length=64)
    email = models.EmailField(blank=True, default="")
    phone = PhoneField(max_length=40, blank=True, default="")
    language = LanguageField(max_length=16, blank=True, default="", help_text="e.g. en or pt-BR")
    npi = models.CharField("NPI", max_length=20, blank=True, default="", db_index=True)
    person_identifier = models.CharField(
        max_length=80, blank=True, default="", db_index=True, help_text="the sponsor's own number of this person"
    )

    # Who the person is in this Vault, if somebody who logs in. It gives no access, and is no identifier of the CRM.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    database_expressions: ClassVar[Mapping[str, Callable[[str], Combinable]]] = {
        "full_name": lambda lead: Trim(Concat(F(f"{lead}first_name"), Value(" "), F(f"{lead}last_name")))
    }

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        ordering = ("last_name", "first_name", "id")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(last_name=""), name="person_has_a_last_name"),
            models.UniqueConstraint(
                fields=("user",),
                name="one_person_per_user",
                violation_error_message="User: another person is this user already. Clear it there first.",
            ),
            models.CheckConstraint(
                condition=Q(object_type__in=PersonType.values),
                name="person_type_is_known",
                violation_error_message=f"Object type: choose one of {', '.join(PersonType.labels)}.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=("last_name", "first_name"), name="person_by_name"),
            models.Index(collate("name"), "id", name="person_list"),
        ]

    @property
    def full_name(self) -> str:
        """Return `First Last`."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def display_contact(self) -> str:
        """Return `First Last (email)`, or the name alone if there is no e-mail address."""
        return f"{self.full_name} ({self.email})" if self.email else self.full_name

    @classmethod
    def list_named_after(cls, records: Sequence[Any]) -> list[models.QuerySet[Any]]:
        named = (cls.study_roles, cls.monitoring_event_participations, cls.communication_contacts)
        return [
            each.rel.related_model._base_manager.filter(person__in=records).select_related("person") for each in named
        ]

    def prepare_for_save(self) -> None:
        self.object_type = self.object_type or PersonType.PERSON
        self.name = self.full_name[:128]
        super().prepare_for_save()
