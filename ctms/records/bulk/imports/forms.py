"""The forms that upload a file, and say how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile

from ctms.audit.reasons import LONGEST_REASON, PARAMETER
from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import VaultError
from ctms.core.text.dates import DateOrder
from ctms.records.bulk.imports.dialects.code_pages import CODE_PAGES
from ctms.records.bulk.imports.dialects.numbers import DecimalMark
from ctms.records.bulk.imports.dialects.zeros import ZeroAnswer
from ctms.records.bulk.imports.files import MOST_BYTES, MOST_ROWS
from ctms.records.bulk.imports.keys import BY_COLUMNS, get_match_key, list_match_keys
from ctms.records.bulk.imports.work import ImportFile, ImportOptions, open_upload

_ACCEPTED = ".xlsx,.xlsm,.csv,.txt,.tsv,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ImportForm(forms.Form):
    """Asks for a file and how to read its rows. `opened` is the file once the form is valid."""

    file = forms.FileField(
        label="File",
        help_text=f"An Excel workbook (.xlsx) or a CSV file, at most {MOST_BYTES // 1024 // 1024} MB and {MOST_ROWS:,} "
        "rows. The first line names the fields.",
        widget=forms.FileInput(attrs={"accept": _ACCEPTED}),
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )
    key = forms.ChoiceField(
        label="Records that exist already are found by", widget=forms.RadioSelect, required=False, initial=BY_COLUMNS
    )
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
            self.fields[PARAMETER] = _build_reason_field()
        self.shape = shape
        self.opened: ImportFile | None = None
        key = self.fields["key"]
        if isinstance(key, forms.ChoiceField):
            keys = [(each.name, each.label) for each in list_match_keys(shape)]
            key.choices = [(BY_COLUMNS, "The columns of the file, surest first"), *keys]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if isinstance(upload, UploadedFile) and not self.errors:
            self._open(upload=upload, cleaned=cleaned)
        updates = self.opened is not None and self.opened.key.fields and self.opened.options.update_existing
        if self.opened is not None and updates and not cleaned.get(PARAMETER):
            named = [self.reasoned[name] for name in self.opened.options.fields if name in self.reasoned]
            if named:
                self.add_error(PARAMETER, _ask_reason(named))
        return cleaned

    def _open(self, *, upload: UploadedFile[Any], cleaned: dict[str, Any]) -> None:
        options = ImportOptions(
            file_name=(upload.name or "")[:200],
            key=cleaned["key"],
            update_existing=cleaned["update_existing"],
            clear_empty=cleaned["clear_empty"],
        )
        try:
            # One byte more than allowed, so that `decode_file` can tell that the file is too large.
            self.opened = open_upload(shape=self.shape, content=upload.read(MOST_BYTES + 1), options=options)
        except VaultError as error:
            self.add_error("file", str(error))


class ReadingForm(forms.Form):
    """Asks how a file is read, as far as there is a choice: dates, numbers, leading zeros, sheet, encoding, key."""

    date_answer = forms.ChoiceField(label="Dates", widget=forms.RadioSelect, required=False)
    number_answer = forms.ChoiceField(label="Numbers", widget=forms.RadioSelect, required=False)
    zeros = forms.ChoiceField(label="Leading zeros", widget=forms.RadioSelect, required=False)
    sheet = forms.ChoiceField(label="Sheet", required=False)
    encoding = forms.ChoiceField(
        label="Encoding", required=False, help_text="Choose another if accents and umlauts below are wrong."
    )
    key = forms.ChoiceField(label="Existing records are found by", required=False)

    def __init__(
        self,
        *,
        shape: ObjectShape,
        options: ImportOptions,
        lost_zeros: Sequence[str] = (),
        reasoned: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> None:
        """Ask what the options leave open or can be changed in. `lost_zeros` are examples.

        `reasoned` is API name → label of what needs a reason to be changed; empty if there is a reason already.
        """
        super().__init__(data)
        self.shape, self.options, self.lost_zeros = shape, options, lost_zeros
        self.reasoned = [label for name, label in (reasoned or {}).items() if name in options.fields]
        question = options.date_question or {}
        keys = [(name, get_match_key(shape=shape, name=name).label) for name in options.keys]
        orders = [(each.value, f"{question.get(each.value)} ({each.label})") for each in DateOrder]
        self._ask("date_answer", orders if question else [], initial=options.date_answer or question.get("hint"))
        asked = options.number_question or {}
        marks = [(each.value, f"{asked.get(each.value)} (a {each.value} before the fraction)") for each in DecimalMark]
        self._ask("number_answer", marks if asked else [], initial=options.number_answer or asked.get("hint"))
        self._ask("zeros", _ZEROS if lost_zeros or options.zeros else [], initial=options.zeros)
        self._ask("sheet", [(each, each) for each in options.sheets], initial=options.sheet)
        pages = [(each.name, each.label) for each in CODE_PAGES.values()]
        self._ask("encoding", pages if options.encoding else [], initial=options.encoding)
        self._ask("key", keys, initial=options.key)
        if self.reasoned and options.update_existing and "key" in self.fields:
            self.fields[PARAMETER] = _build_reason_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        key = get_match_key(shape=self.shape, name=cleaned.get("key") or self.options.key)
        if PARAMETER in self.fields and key.fields and not cleaned.get(PARAMETER):
            self.add_error(PARAMETER, _ask_reason(self.reasoned))
        return cleaned

    def list_choices(self) -> dict[str, str]:
        """Return what was chosen otherwise than before, by the names of `ImportOptions`."""
        chosen = {name: str(value) for name, value in self.cleaned_data.items() if value and name != PARAMETER}
        return {name: value for name, value in chosen.items() if value != getattr(self.options, name)}

    def _ask(self, name: str, choices: Sequence[tuple[str, str]], *, initial: Any) -> None:
        field = self.fields[name]
        if len(choices) <= 1:
            del self.fields[name]
        elif isinstance(field, forms.ChoiceField):
            field.choices, field.initial = choices, initial


class ExistingForm(forms.Form):
    """Says which lines use the record that is there already instead of creating one like it: `used` is line → uid.

    `use` is a line, or `EVERY` for all that are offered; `create` is a line that creates a record after all.
    """

    EVERY = "all"

    use = forms.CharField(required=False)
    create = forms.CharField(required=False)

    def __init__(
        self,
        *,
        options: ImportOptions,
        offered: Mapping[int, UUID],
        reasoned: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> None:
        """Offer records by line. `reasoned` is as for `ReadingForm`."""
        super().__init__(data)
        self.options, self.offered = options, offered
        self.reasoned = [label for name, label in (reasoned or {}).items() if name in options.fields]
        self.used: dict[str, str] = dict(options.uses or {})
        if self.reasoned and options.update_existing:
            self.fields[PARAMETER] = _build_reason_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        use, create = cleaned.get("use", ""), cleaned.get("create", "")
        chosen = {str(line): str(uid) for line, uid in self.offered.items() if use in (self.EVERY, str(line))}
        if use and not chosen:
            raise forms.ValidationError("There is no such record to use any more. The file was checked again.")
        if chosen and PARAMETER in self.fields and not cleaned.get(PARAMETER):
            self.add_error(PARAMETER, _ask_reason(self.reasoned))
        self.used |= chosen
        self.used.pop(create, None)
        return cleaned


_ZEROS = [
    (ZeroAnswer.RESTORE.value, "The file has lost them: put them back"),
    (ZeroAnswer.KEEP.value, "These are other numbers: take them as they are"),
]


def _build_reason_field() -> forms.CharField:
    return forms.CharField(
        label="Reason for change",
        required=False,
        max_length=LONGEST_REASON,
        help_text="Why records that exist already are changed.",
    )


def _ask_reason(labels: Sequence[str]) -> str:
    return f"Say why {', '.join(labels)} is changed in records that exist already."
