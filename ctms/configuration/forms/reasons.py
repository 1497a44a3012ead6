"""The form of a rule that a reason is asked for."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from ctms.audit.forms import AuditedModelForm
from ctms.configuration.models import ReasonRule
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import load_configuration

_ALL = "every change, and the deletion"


class ReasonRuleForm(AuditedModelForm):
    """Asks for the field, among those of all objects, in one choice."""

    what = forms.ChoiceField(
        label="Ask why users change",
        widget=UnfoldAdminSelectWidget,
        help_text="The reason is asked for in forms, edits in place, bulk edits and imports, and over the API.",
    )

    class Meta:
        model = ReasonRule
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        what = self.fields["what"]
        if isinstance(what, forms.ChoiceField):
            what.choices = [("", "–"), *_list_choices()]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.instance.of_object, _, self.instance.field_name = str((cleaned or {}).get("what", "")).partition(".")
        return cleaned


def _list_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    configuration = load_configuration()
    return [
        (
            each.title,
            [
                (f"{each.api_name}.", f"{each.title}: {_ALL}"),
                *[
                    (f"{each.api_name}.{name}", f"{each.title}: {field.label}")
                    for name, field in configuration.get(each.api_name).fields.items()
                    if not field.is_read_only
                ],
            ],
        )
        for each in list_record_objects()
    ]
