"""The form of a study in the admin console."""

from __future__ import annotations

from typing import ClassVar

from ctms.audit.forms import AuditedModelForm
from ctms.clinical.models import Study


class StudyForm(AuditedModelForm):
    """A study; its name is the study number."""

    class Meta:
        model = Study
        fields = "__all__"
        labels: ClassVar = {"name": "Study number"}
