"""Make a row of each record that a dry run would not leave unchanged, with its fields as they are and would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crm_sync.choices import AttemptOutcome, PreviewOutcome
from crm_sync.engine.identity.account_matching import build_identifier_expression
from crm_sync.engine.outbound.crm_values import find_references
from crm_sync.models import PreviewRow
from crm_sync.reconciliation.values import is_same_value
from ctms.audit.selectors import find_deleted_names
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from exceptions_log.models import Failure

BATCH: Final = 200
_OUTCOMES: Final = {
    (False, AttemptOutcome.CREATED): PreviewOutcome.CREATE,
    (False, AttemptOutcome.UPDATED): PreviewOutcome.UPDATE,
    (False, AttemptOutcome.DELETED): PreviewOutcome.DELETE,
    (True, AttemptOutcome.CREATED): PreviewOutcome.RECEIVE,
    (True, AttemptOutcome.UPDATED): PreviewOutcome.CHANGE,
    (True, AttemptOutcome.DELETED): PreviewOutcome.DEACTIVATE,
}
_NO_VALUES: Final = (None, "")
_PERSON: Final = "person"


class RowMaker:
    """The observer of a dry run of one integration, which passes rows on in batches of 200."""

    def __init__(
        self, *, plan: CompiledIntegration, crm: CrmDialect, store: Callable[[list[PreviewRow]], None]
    ) -> None:
        self._plan = plan
        self._references = find_references(plan=plan, crm=crm)
        self._integration = plan.integration
        self._store = store
        self._rows: list[PreviewRow] = []
        # Rows of changed calls, with the key of the person of the record, and the identifier of the person then.
        self._persons: list[tuple[PreviewRow, int | None, str]] = []
        self._labels = {rule.end.attribute: rule.end.label for rule in plan.fields if rule.end is not None}

    # -- What the engine tells ------------------------------------------------------------------------

    def note_attempt(
        self,
        *,
        link: AnyLink,
        outcome: AttemptOutcome,
        values: Mapping[str, Any],
        name: object,
        before: Mapping[str, Any] | None,
    ) -> None:
        """Add the row of a record that would be written. A refusal is told again, as a failure or a second try."""
        if outcome == AttemptOutcome.REFUSED:
            return
        is_inbound = self._integration.is_inbound
        row = self._build(
            outcome=_OUTCOMES[is_inbound, outcome],
            record_uid=None if is_inbound and outcome == AttemptOutcome.CREATED else link.record_uid,
            crm_id=link.crm_id,
            name=str(name or ""),
        )
        if is_inbound:
            self._put_received(row, values=values, before=before)
        else:
            self._put_sent(row, values=values, before=before)
        self._add(row)

    def note_failure(self, failure: Failure) -> None:
        """Add the row of a record that would fail."""
        name = failure.item.partition(": ")[2] if failure.record_uid else failure.name
        self._add(
            self._build(
                outcome=PreviewOutcome.FAIL,
                record_uid=failure.record_uid,
                crm_id=failure.crm_id,
                name=name,
                reason=failure.error_message,
            )
        )

    def note_waiting(self, *, link: AnyLink, name: object, parent: str) -> None:
        """Add the row of a record that would wait for its parent."""
        self._add(
            self._build(
                outcome=PreviewOutcome.WAIT,
                record_uid=link.record_uid,
                crm_id=link.crm_id,
                name=str(name),
                reason=f"{parent} has to be in the CRM first, and would not be sent.",
            )
        )

    def flush(self) -> None:
        """Pass on the rows of an unfinished batch."""
        if not self._rows:
            return
        self._name_deleted()
        self._name_persons()
        self._store(self._rows)
        self._rows, self._persons = [], []

    # -- Rows -----------------------------------------------------------------------------------------

    def _build(self, *, crm_id: str, name: str, **values: Any) -> PreviewRow:
        return PreviewRow(integration=self._integration, crm_id=crm_id[:18], name=name[:255], **values)

    def _add(self, row: PreviewRow) -> None:
        self._rows.append(row)
        if len(self._rows) == BATCH:
            self.flush()

    def _put_sent(self, row: PreviewRow, *, values: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Put the fields that would differ into the row of a record that would be sent; `before` the CRM has."""
        there: Mapping[str, Any] = before or {}
        key, uid = self._plan.external_id_field, str(row.record_uid)
        if row.outcome == PreviewOutcome.UPDATE and there.get(key) != uid:
            row.fields[key] = [there.get(key), uid]
        for name, value in values.items():
            if not is_same_value(value, there.get(name)):
                target = self._references[name].target if name in self._references else name
                row.fields[target] = [_flatten(there.get(name)), _flatten(value)]

    def _put_received(self, row: PreviewRow, *, values: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Put the attributes that would differ into the row of a call; `before` are those of the Vault's record."""
        old = dict(before or {})
        new = {"status": RecordStatus.ACTIVE, **values} if before is not None else values
        for name, value in new.items():
            if name == _PERSON:
                self._put_person(row, value=value, before=before)
            elif old.get(name) != value and (before is not None or value not in _NO_VALUES):
                row.fields[self._label(name)] = [self._show(name, old.get(name)), self._show(name, value)]

    def _put_person(self, row: PreviewRow, *, value: str, before: Mapping[str, Any] | None) -> None:
        """Put the person of a call, by identifier; that of a record is read with the batch."""
        person = self._plan.person_field.end if self._plan.person_field is not None else None
        if person is not None and before is not None:
            self._persons.append((row, before.get(f"{person.attribute}_id"), value))
        elif value:
            row.fields[self._label(person.attribute if person else _PERSON)] = [None, value]

    def _label(self, attribute: str) -> str:
        if attribute in self._labels:
            return self._labels[attribute]
        model_field: Any = self._plan.vault_object.model._meta.get_field(attribute)
        return str(model_field.verbose_name).capitalize()

    def _show(self, attribute: str, value: Any) -> Any:
        """Return a value as the Vault's pages show it, if it is one of a list, or Yes or No."""
        if isinstance(value, bool):
            return "Yes" if value else "No"
        choices: Any = getattr(self._plan.vault_object.model._meta.get_field(attribute), "flatchoices", None) or ()
        return dict(choices).get(value, value)

    def _name_deleted(self) -> None:
        """Name the records that the Vault has deleted, as the audit trail knows them."""
        nameless = [row for row in self._rows if not row.name]
        uids = [row.record_uid for row in nameless if row.record_uid is not None]
        names = find_deleted_names(uids) if uids else {}
        for row in nameless:
            found = names.get(row.record_uid) if row.record_uid is not None else None
            row.name = (found or row.crm_id or str(row.record_uid))[:255]

    def _name_persons(self) -> None:
        """Name persons by their identifiers."""
        if self._persons and self._plan.identifiers is not None:
            expression = build_identifier_expression(self._plan.identifiers)
            known = Person.objects.annotate(value=expression).filter(pk__in={pk for _, pk, _ in self._persons})
            identifiers: dict[int | None, str] = dict(known.values_list("pk", "value"))
            for row, pk, value in self._persons:
                if identifiers.get(pk) != value:
                    row.fields[self._label(_PERSON)] = [identifiers.get(pk), value]


def _flatten(value: Any) -> Any:
    """Return a value of a payload; of a reference by external id, that id."""
    return ", ".join(map(str, value.values())) if isinstance(value, dict) else value
