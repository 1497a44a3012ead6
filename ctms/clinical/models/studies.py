"""Studies, their countries, sites and people."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from ctms.clinical.choices import AssignmentRole, SiteState, StudyPhase, StudyState, TeamRole
from ctms.clinical.consistency import check_order
from ctms.clinical.models.contacts import ContactedRecord
from ctms.clinical.models.people import Person
from ctms.configuration.study_record import StudyRecord
from ctms.core.models import NUMBER_TAKEN, SAME_NUMBERS, AuditedModel, NumberedRecord
from ctms.core.text.expressions import collate
from ctms.core.text.territories import find_country, name_country
from ctms.core.value_fields import CountryField

_ASSIGNED_ALREADY = (
    "User: there is an assignment without end to the same study, country or site already. Change it, or end it first."
)
validate_country_code = RegexValidator(r"^[A-Z]{2}\Z", "Use the two capital letters of ISO 3166-1, e.g. DE.")


class Study(NumberedRecord):
    """A clinical study; its name is the study number."""

    object_name = "study__v"
    is_study = True  # what `ctms.configuration.scope` looks for

    study_name = models.CharField(max_length=255, blank=True, default="")
    protocol_title = models.CharField(max_length=1000, blank=True, default="")
    phase = models.CharField(max_length=32, choices=StudyPhase.choices, default=StudyPhase.NOT_APPLICABLE)
    lifecycle_state = models.CharField(max_length=32, choices=StudyState.choices, default=StudyState.PLANNING)
    sponsor = models.CharField(max_length=255, blank=True, default="")
    planned_start = models.DateField(null=True, blank=True)
    planned_end = models.DateField(null=True, blank=True)
    actual_start = models.DateField(null=True, blank=True)
    actual_end = models.DateField(null=True, blank=True)
    send_to_crm = models.BooleanField("Send to Medical CRM", default=True)

    class Meta:
        verbose_name = "study"
        verbose_name_plural = "studies"
        ordering = ("name",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("number_key",),
                name="study_number_once",
                violation_error_code=NUMBER_TAKEN,
                violation_error_message=f"A study of this number exists. {SAME_NUMBERS}",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="study_has_a_number"),
        ]
        indexes: ClassVar = [models.Index(collate("name"), "id", name="study_list")]

    def clean(self) -> None:
        super().clean()
        check_order(record=self, start="planned_start", end="planned_end")
        check_order(record=self, start="actual_start", end="actual_end")


class StudyCountry(StudyRecord):
    """A country in which a study is run; its name is that of the country unless another is set."""

    object_name = "study_country__v"
    is_place = True

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="countries")
    country = CountryField(max_length=2, validators=[validate_country_code], help_text="ISO 3166-1 alpha-2")

    class Meta:
        verbose_name = "study country"
        verbose_name_plural = "study countries"
        ordering = ("study", "name")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("study", "country"),
                name="country_once_per_study",
                violation_error_message="The study has this country already.",
            ),
        ]
        indexes: ClassVar = [models.Index(collate("name"), "id", name="study_country_list")]

    def prepare_for_save(self) -> None:
        if find_country(self.name):
            self.name = ""  # the name of a country is built again, because the country may have changed
        super().prepare_for_save()

    def build_name(self) -> str:
        return name_country(self.country)


class StudySite(NumberedRecord, ContactedRecord):
    """A site of a study; its name is the site number."""

    object_name = "site__v"
    is_place = True
    bookkeeping_fields = NumberedRecord.bookkeeping_fields | ContactedRecord.bookkeeping_fields

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sites")
    study_country = models.ForeignKey(StudyCountry, on_delete=models.PROTECT, related_name="sites")
    site_name = models.CharField(max_length=255, blank=True, default="")
    principal_investigator = models.ForeignKey(
        Person, on_delete=models.PROTECT, null=True, blank=True, related_name="sites_led"
    )
    lifecycle_state = models.CharField(max_length=32, choices=SiteState.choices, default=SiteState.CANDIDATE)
    city = models.CharField(max_length=128, blank=True, default="")
    address_country = CountryField(max_length=2, validators=[validate_country_code], blank=True, default="")
    send_to_crm = models.BooleanField("Send to Medical CRM", default=True)
    # Empty until somebody is named: who enters a site is seldom the one who looks after it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = "study site"
        verbose_name_plural = "study sites"
        ordering = ("study", "name")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("study", "number_key"),
                name="site_number_once_per_study",
                violation_error_code=NUMBER_TAKEN,
                violation_error_message=f"The study has a site of this number already. {SAME_NUMBERS}",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="site_has_a_number"),
        ]
        indexes: ClassVar = [
            models.Index(collate("name"), "id", name="site_list"),
            models.Index(F("last_contact").desc(nulls_last=True), F("id").desc(), name="site_last_newest"),
            models.Index(F("last_contact").asc(nulls_last=True), "id", name="site_last_oldest"),
            models.Index(F("next_contact").asc(nulls_last=True), "id", name="site_next"),
            models.Index(F("overdue_since").asc(nulls_last=True), "id", name="site_overdue"),
            models.Index(
                fields=("contacts_move_on",), condition=Q(contacts_move_on__isnull=False), name="site_moves_on"
            ),
        ]


class StudyPerson(ContactedRecord):
    """A person's role in a study, in one of its countries, or at one of its sites."""

    object_name = "study_person__clin"
    name_follows = True

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="study_roles")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="study_people")
    study_country = models.ForeignKey(
        StudyCountry, on_delete=models.PROTECT, null=True, blank=True, related_name="study_people"
    )
    site = models.ForeignKey(StudySite, on_delete=models.PROTECT, null=True, blank=True, related_name="study_people")
    team_role = models.CharField(max_length=32, choices=TeamRole.choices, default=TeamRole.OTHER)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = "study person"
        verbose_name_plural = "study people"
        ordering = ("study", "name")
        indexes: ClassVar = [
            models.Index(collate("name"), "id", name="study_person_list"),
            models.Index(F("last_contact").desc(nulls_last=True), F("id").desc(), name="study_person_last_newest"),
            models.Index(F("last_contact").asc(nulls_last=True), "id", name="study_person_last_oldest"),
            models.Index(F("next_contact").asc(nulls_last=True), "id", name="study_person_next"),
            models.Index(F("overdue_since").asc(nulls_last=True), "id", name="study_person_overdue"),
            models.Index(
                fields=("contacts_move_on",), condition=Q(contacts_move_on__isnull=False), name="study_person_moves_on"
            ),
        ]

    def build_name(self) -> str:
        return f"{self.person.full_name} ({self.get_team_role_display()})" if self.person_id else ""

    def clean(self) -> None:
        super().clean()
        check_order(record=self, start="start_date", end="end_date")


class StudyAssignment(AuditedModel):
    """A user's access to a study, or to one of its countries or sites, from a day until a day.

    Users see what they are assigned to today, or everything if their profile says so; the days are those of UTC. The
    role says what the user does in the study; what the user may do is in the security profile.
    """

    object_name = "admin:security"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="study_assignments")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=32, choices=AssignmentRole.choices, blank=True, default="")
    study_country = models.ForeignKey(
        StudyCountry,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="assignments",
        verbose_name="only country",
    )
    site = models.ForeignKey(
        StudySite, on_delete=models.PROTECT, null=True, blank=True, related_name="assignments", verbose_name="only site"
    )
    valid_from = models.DateField("from", null=True, blank=True, help_text="First day (UTC). Empty: from now on.")
    valid_until = models.DateField("until", null=True, blank=True, help_text="Last day (UTC). Empty: without end.")

    class Meta:
        verbose_name = "study assignment"
        verbose_name_plural = "study assignments"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True)
                | Q(valid_until__isnull=True)
                | Q(valid_until__gte=models.F("valid_from")),
                name="assignment_ends_after_it_begins",
                violation_error_message="Until: the last day lies before the first.",
            ),
            models.CheckConstraint(
                condition=Q(study_country__isnull=True) | Q(site__isnull=True),
                name="assignment_has_one_limit",
                violation_error_message="Only site: choose a country or a site. A site lies in its country anyway.",
            ),
            models.UniqueConstraint(
                fields=("user", "study"),
                condition=Q(study_country__isnull=True, site__isnull=True, valid_until__isnull=True),
                name="user_assigned_once_per_study",
                violation_error_message=_ASSIGNED_ALREADY,
            ),
            models.UniqueConstraint(
                fields=("user", "study_country"),
                condition=Q(study_country__isnull=False, valid_until__isnull=True),
                name="user_assigned_once_per_country",
                violation_error_message=_ASSIGNED_ALREADY,
            ),
            models.UniqueConstraint(
                fields=("user", "site"),
                condition=Q(site__isnull=False, valid_until__isnull=True),
                name="user_assigned_once_per_site",
                violation_error_message=_ASSIGNED_ALREADY,
            ),
        ]

    def __str__(self) -> str:
        limit = self.site or self.study_country
        return f"{self.user} · {self.study}" + (f" · {limit}" if limit else "")

    def clean(self) -> None:
        super().clean()
        for name in ("study_country", "site"):
            limit = getattr(self, name)
            if limit is not None and limit.study_id != self.study_id:
                raise ValidationError({name: f"{limit} belongs to study {limit.study}, not to {self.study}."})
