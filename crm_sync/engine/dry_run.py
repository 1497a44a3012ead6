"""What a dry run keeps in memory where a run would write it, because later steps depend on it; and who is told.

A dry run takes the same way through the engine as a run. Marks and states that a run writes into links are kept here,
and the steps that read links add them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from connections.choices import FieldRuleKind
from crm_sync.choices import LinkState
from crm_sync.engine.rule_paths import list_rule_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from connections.models import Connection
    from crm_sync.choices import AttemptOutcome
    from crm_sync.engine.links import AnyLink
    from crm_sync.models import TransferLink
    from exceptions_log.models import Failure


class Observer(Protocol):
    """Is told by a dry run of one integration what would become of each record that is not unchanged.

    A run that tests one record tells it what became of that.
    """

    def note_attempt(
        self,
        *,
        link: AnyLink,
        outcome: AttemptOutcome,
        values: Mapping[str, Any],
        name: object,
        before: Mapping[str, Any] | None,
    ) -> None:
        """Note what would be written; `before` are the values that the CRM, or the Vault's record, has now."""

    def note_failure(self, failure: Failure) -> None:
        """Note a record that would fail."""

    def note_waiting(self, *, link: AnyLink, name: object, parent: str) -> None:
        """Note a record that would wait for its parent."""


@dataclass(slots=True, kw_only=True)
class DryRun:
    """What one dry run of one connection would have written so far."""

    # CRM objects, in lower case, to whose records those of other integrations refer.
    parent_objects: frozenset[str]
    # States that the links of such records would have, by UID.
    states: dict[UUID, LinkState] = field(default_factory=dict)
    # Keys of links that would be marked as pending, by key of their integration; some are of undeleted CRM records.
    pending: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    undeleted: set[int] = field(default_factory=set)
    # Links of records that the CRM received in an interrupted run, by UID of the record and by integration.
    adopted: defaultdict[int, dict[UUID, TransferLink]] = field(default_factory=lambda: defaultdict(dict))
    # Whether the calls that would write are shown to whoever watches: the dialect is one of a rehearsal.
    is_rehearsal: bool = False
    # External ids of parents that the CRM has.
    parents_there: set[str] = field(default_factory=set)
    # Hashes of the ids of calls that would be written, and the ids of those that would be known to be deleted.
    received: set[int] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def mark(self, links: QuerySet[TransferLink]) -> None:
        """Note that these links would be marked as pending."""
        for integration_id, pk in links.values_list("integration_id", "pk"):
            self.pending[integration_id].add(pk)

    def note_state(self, *, crm_object: str, uids: Iterable[UUID | None], state: LinkState) -> None:
        """Note the state that the links of these records would have, if other records refer to such."""
        if crm_object.lower() in self.parent_objects:
            self.states.update((uid, state) for uid in uids if uid is not None)


def begin_dry_run(connection: Connection) -> DryRun:
    """Return the state of a dry run that begins."""
    paths = list_rule_paths(connection=connection, kind=FieldRuleKind.REFERENCE)
    return DryRun(parent_objects=frozenset(path.rule.reference_object.lower() for path in paths))
