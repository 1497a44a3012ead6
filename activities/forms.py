"""The form of a Clinical Activity."""

from __future__ import annotations

from activities.models import Activity
from ctms.audit.forms import AuditedModelForm


class ActivityForm(AuditedModelForm):
    """A Clinical Activity; its name and its From are made by the Vault."""

    class Meta:
        model = Activity
        exclude = ("name", "external_id")
