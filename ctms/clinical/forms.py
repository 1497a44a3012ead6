"""Forms of clinical objects: what is chosen narrowly fills the wider, so the wider may be left empty."""

from __future__ import annotations

from typing import Any, ClassVar

from ctms.audit.forms import AuditedModelForm
from ctms.clinical.models import MonitoringEvent, Person, Study, StudyCommunicationLog, StudySite
from ctms.configuration.forms import TypedRecordForm

_FILLED = {
    "study": "Left empty, it is filled from the site or study country.",
    "study_country": "Left empty, it is filled from the site.",
}


class FilledStudyForm(AuditedModelForm):
    """Study and study country may be left empty where a narrower reference names them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = _FILLED if "site" in self.fields else {"study": "Left empty, it is filled from the study country."}
        for name, help_text in names.items():
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].help_text = help_text


class StudyForm(AuditedModelForm):
    """A study; its name is the study number."""

    class Meta:
        model = Study
        fields = "__all__"
        labels: ClassVar = {"name": "Study number"}


class StudySiteForm(FilledStudyForm):
    """A site; its name is the site number."""

    class Meta:
        model = StudySite
        fields = "__all__"
        labels: ClassVar = {"name": "Site number"}


class PersonForm(TypedRecordForm):
    """A person or an investigator."""

    class Meta:
        model = Person
        exclude = ("name",)  # made from first and last name


class MonitoringEventForm(TypedRecordForm, FilledStudyForm):
    """A monitoring event of one of its active object types."""

    class Meta:
        model = MonitoringEvent
        exclude = ("name",)  # made from type and date


class StudyCommunicationForm(TypedRecordForm, FilledStudyForm):
    """A communication of one of its active object types."""

    class Meta:
        model = StudyCommunicationLog
        exclude = ("name",)  # made from the subject
