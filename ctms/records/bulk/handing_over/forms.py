"""The form of a hand-over: to whom, which records, and why where an admin asks for a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms

from ctms.audit.reasons import LONGEST_REASON, PARAMETER
from ctms.records.access import ObjectAccess
from ctms.records.bulk.handing_over.items import Limits
from ctms.records.bulk.handing_over.owned import OwnedObject
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.reference_field import ReferenceField


class ColleagueField(ReferenceField):
    """A user who may own records of an object. `chosen` maps references to uids of places that the user has to see."""

    def __init__(self, *, access: ObjectAccess, chosen: Mapping[str, str], **kwargs: Any) -> None:
        self.places = chosen
        super().__init__(access=access, field=access.shape.fields[OWNER], chosen=chosen, **kwargs)

    @property
    def lookup_url(self) -> str:
        url = super().lookup_url
        return f"{url}?{urlencode(self.places)}" if self.places else url

    @property
    def noun(self) -> str:
        return "user"

    def list_parents(self) -> list[str]:
        return []


class HandOverForm(forms.Form):
    """Asks to whom records are handed over, and which of those that are offered."""

    to = forms.Field(label="To")
    include = forms.MultipleChoiceField(
        label="What",
        error_messages={"required": "Tick what is handed over."},
        widget=forms.CheckboxSelectMultiple,
    )
    study = forms.ChoiceField(label="Study", required=False)
    dated_from = forms.DateField(
        label="Dated from",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="What has an earlier day stays. Empty: whatever is open. The hand-over itself is now.",
    )
    of_everybody = forms.BooleanField(
        label="Also what others own at the site",
        required=False,
    )

    def __init__(
        self,
        *,
        access: ObjectAccess,
        places: Mapping[str, str],
        offered: Sequence[OwnedObject],
        studies: Sequence[tuple[str, str]],
        asks_everybody: bool,
        reasoned: Sequence[str],
        data: Any = None,
    ) -> None:
        super().__init__(data, initial={"include": [each.api_name for each in offered]})
        self.reasoned = reasoned
        self.fields["to"] = ColleagueField(access=access, chosen=places, label="To", required=True)
        self.fields["to"].error_messages["required"] = "Choose the user who gets the records."
        self.fields["to"].widget.attrs["autofocus"] = True
        include = self.fields["include"]
        if isinstance(include, forms.MultipleChoiceField):
            include.choices = [(each.api_name, each.label) for each in offered]
        study = self.fields["study"]
        if len(studies) > 1 and isinstance(study, forms.ChoiceField):
            study.choices = [("", "All studies"), *studies]
        else:
            del self.fields["study"]
        if not asks_everybody:
            del self.fields["of_everybody"]
        if not any(each.day for each in offered):
            del self.fields["dated_from"]
        if len(offered) == 1:
            self.fields["include"].widget = forms.MultipleHiddenInput()
        if reasoned:
            self.fields[PARAMETER] = forms.CharField(
                label="Reason for change",
                max_length=LONGEST_REASON,
                error_messages={"required": f"Say why {', '.join(reasoned)} is changed."},
                help_text="It stands in the audit trail.",
            )

    def read_limits(self) -> Limits:
        """Return what was chosen, as far as it is valid."""
        values = self.cleaned_data if self.is_bound else {}
        return Limits(
            dated_from=values.get("dated_from"),
            study=UUID(values["study"]) if values.get("study") else None,
            of_everybody=bool(values.get("of_everybody")),
        )

    def list_included(self) -> list[str]:
        """Return the API names of the objects whose records are handed over."""
        return list(self.cleaned_data.get("include", ()) if self.is_bound else self.initial["include"])
