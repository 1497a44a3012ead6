"""The conditions of a report in words, and the form of its prompts, which readers fill in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from ctms.records.conditions.addresses import read_address
from ctms.records.conditions.forms import ConditionsForm
from ctms.records.conditions.rows import ConditionRow
from ctms.records.conditions.subjects import find_subject
from ctms.records.conditions.tree import Condition, Group
from ctms.records.conditions.words import describe_condition, describe_group
from ctms.records.fields.comparing.operators import EMPTINESS
from ctms.reports.access import StoredReport
from ctms.reports.definition import read_type
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.parts import Part, open_part
from ctms.reports.sources import find_source, load_report_configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A condition in words."""

    label: str
    text: str


def list_chips(opened: OpenReport) -> list[Chip]:
    """Return the conditions that the report itself has, those on the related object with its name."""
    return [
        _describe(member=member, part=part, has_name=opened.related is not None)
        for part in opened.parts
        for member in opened.conditions[part.mark][0].members
    ]


def list_address_chips(opened: OpenReport, *, prompts: Iterable[str]) -> list[Chip]:
    """Return the conditions of the address that are not about prompts, which the form shows."""
    asked = set(prompts)
    return [
        _describe(member=member, part=opened.primary, has_name=False)
        for group in opened.conditions[""][1:]
        for member in group.members
        if isinstance(member, Group) or member.subject.path not in asked
    ]


class PromptsForm(ConditionsForm):
    """A row for each prompt of a report, filled from the address or from what was typed.

    Readers choose among records that they see themselves, whoever the report runs as.
    """

    def __init__(self, *, part: Part, prompts: Sequence[str], address: QueryDict, data: QueryDict | None) -> None:
        object_name = part.shape.api_name
        asked = read_address(asker=part.asker, object_name=object_name, parameters=address).stored
        super().__init__(
            asker=part.asker,
            user=part.access.user,
            object_name=object_name,
            stored=[each for each in asked if each.get("field") in prompts],
            data=data,
            has_typeahead=not part.access.vault_object.is_setup,
        )
        self.prompts = prompts
        self.complete()

    def complete(self) -> None:
        """Add a blank row for each prompt that has none."""
        shown = {each.path for each in self.rows}
        for path in self.prompts:
            if path not in shown and find_subject(asker=self.asker, object_name=self.object_name, path=path):
                self.add(path=path)
        order = {path: number for number, path in enumerate(self.prompts)}
        self.rows.sort(key=lambda each: order.get(each.path, len(order)))

    def act(self) -> bool:
        """Do what a button asked for. A prompt that is removed is blank again."""
        acted = super().act()
        self.complete()
        return acted

    def keep_answered(self) -> None:
        """Leave out the prompts that nothing was typed for: they limit nothing."""
        self.rows = [each for each in self.rows if each.path in self.prompts and _is_answered(each)]

    @property
    def is_answered(self) -> bool:
        """Whether something was typed for a prompt."""
        return any(map(_is_answered, self.rows))

    @property
    def labels(self) -> list[str]:
        """Return what is asked for, in order."""
        return [str(each.label) for each in self.rows]


def open_prompts(
    *, stored: StoredReport, prompts: Sequence[str], address: QueryDict, data: QueryDict | None = None
) -> PromptsForm | None:
    """Return the form of the report's prompts; None if it has none, or none that the reader may answer."""
    if not prompts:
        return None
    configuration = load_report_configuration()
    access = find_source(
        user=stored.user, object_name=read_type(stored.report.report_type).primary, configuration=configuration
    )
    if access is None:
        return None
    form = PromptsForm(part=open_part(access=access), prompts=prompts, address=address, data=data)
    return form if form.rows else None


def _is_answered(row: ConditionRow) -> bool:
    return bool(row.values or row.errors or row.stored.get("operator") in set(map(str, EMPTINESS)))


def _describe(*, member: Condition | Group, part: Part, has_name: bool) -> Chip:
    prefix = f"{part.label}: " if has_name else ""
    if isinstance(member, Group):
        return Chip(label=f"{prefix}{member.joint.label}", text=describe_group(member))
    return Chip(label=f"{prefix}{member.subject.label}", text=describe_condition(member))
