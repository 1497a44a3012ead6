"""The form that uploads a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from ctms.audit.reasons import LONGEST_REASON, PARAMETER
from ctms.configuration.snapshot import ObjectShape
from ctms.records.bulk.imports.columns import ALWAYS_CREATE, EXTERNAL_ID, list_match_keys
from ctms.records.bulk.imports.files import MOST_BYTES, MOST_ROWS, UnreadableFileError
from ctms.records.bulk.imports.work import ImportFile, open_upload


class ImportForm(forms.Form):
    """Asks for a file and how to read its rows. `opened` is the file once the form is valid."""

    file = forms.FileField(
        label="CSV file",
        help_text=f"UTF-8, at most {MOST_BYTES // 1024 // 1024} MB and {MOST_ROWS:,} rows. The first line names the "
        "fields; cells are separated by commas, semicolons or tabs.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv"}),
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )
    key = forms.ChoiceField(label="Records that exist already are found by", widget=forms.RadioSelect)
    update_existing = forms.BooleanField(
        label="Change records that exist already",
        required=False,
        initial=True,
        help_text="Otherwise they stay as they are.",
    )
    clear_empty = forms.BooleanField(
        label="Empty cells clear the field",
        required=False,
        help_text="Otherwise an empty cell leaves the field of an existing record as it is.",
    )

    def __init__(
        self, *, shape: ObjectShape, data: Any = None, files: Any = None, reasoned: Mapping[str, str] | None = None
    ) -> None:
        """Ask for the reason, too, if changes of existing records need one: `reasoned` is API name → label of what."""
        super().__init__(data, files)
        self.reasoned = dict(reasoned or {})
        if self.reasoned:
            self.fields[PARAMETER] = forms.CharField(
                label="Reason for change",
                required=False,
                max_length=LONGEST_REASON,
                help_text="Why records that exist already are changed.",
            )
        self.shape = shape
        self.opened: ImportFile | None = None
        key = self.fields["key"]
        if isinstance(key, forms.ChoiceField):
            key.choices = [(each.name, each.label) for each in list_match_keys(shape)]
        key.initial = EXTERNAL_ID

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if isinstance(upload, UploadedFile) and not self.errors:
            self._open(upload=upload, cleaned=cleaned)
        if self.opened is not None and self.opened.options.update_existing and not cleaned.get(PARAMETER):
            named = [self.reasoned[name] for name in self.opened.options.fields if name in self.reasoned]
            if named:
                self.add_error(PARAMETER, f"Say why {', '.join(named)} is changed in records that exist already.")
        return cleaned

    def _open(self, *, upload: UploadedFile[Any], cleaned: dict[str, Any]) -> None:
        try:
            self.opened = open_upload(
                shape=self.shape,
                # One byte more than allowed, so that `decode_file` can tell that the file is too large.
                content=upload.read(MOST_BYTES + 1),
                file_name=upload.name or "",
                key=cleaned["key"],
                update_existing=cleaned["update_existing"] and cleaned["key"] != ALWAYS_CREATE,
                clear_empty=cleaned["clear_empty"],
            )
        except UnreadableFileError as error:
            self.add_error("file", str(error))
