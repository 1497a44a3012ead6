"""The forms of studies and of users' assignments to them in the admin console."""

from __future__ import annotations

from typing import Any, ClassVar

from django.forms.models import construct_instance

from ctms.accounts.models import User
from ctms.audit.forms import AuditedModelForm
from ctms.clinical.assignments import explain_assigning
from ctms.clinical.models import Study, StudyAssignment


class StudyForm(AuditedModelForm):
    """A study; its name is the study number."""

    class Meta:
        model = Study
        fields = "__all__"
        labels: ClassVar = {"name": "Study number"}


class StudyAssignmentForm(AuditedModelForm):
    """A user's assignment to a study. `giver` is who fills it in, and cannot give what they do not see themselves."""

    giver: ClassVar[User]

    class Meta:
        model = StudyAssignment
        fields = "__all__"

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if self.has_changed() and not self.errors:
            given = construct_instance(self, StudyAssignment(study_id=self.instance.study_id))
            refusal = explain_assigning(giver=self.giver, assignment=given)
            if refusal:
                self.add_error("user", refusal)
        return cleaned
