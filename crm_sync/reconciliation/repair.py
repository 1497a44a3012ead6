"""Repair differences: correct the links so that the next transfer sends or reads the records again.

Nothing is written in the CRM here, and no record of the Vault: the transfer stays the only one who does either. Deletes
win: what was deleted on one side is marked as deleted and not created again.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.db import transaction

from crm_sync.choices import LinkState, RecordWord
from crm_sync.dialects import is_crm_id
from crm_sync.engine.rules.compiled import CompiledIntegration
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.models import AccountMatch, Difference, TransferLink
from crm_sync.reconciliation.verdicts import DELETED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from django.db.models import QuerySet

_BATCH = 200
_LINK_FIELDS = ["record_uid", "crm_id", "version", "dependency_version", "digest", "deletion_base", "state", "pending"]


def repair_differences(*, differences: QuerySet[Difference], renew_lease: Callable[[], None]) -> int:
    """Correct the links of these differences, and return how many.

    Those that were repaired already are left out, and activities with an id that is none of the CRM, which only people
    can put right. `renew_lease` renews the lease of the connection's transfer in each transaction. Raises
    ConfigurationError for rules that are wrong.
    """
    keys = list(differences.filter(is_repaired=False).order_by("integration_id", "pk").values_list("pk", flat=True))
    repaired = 0
    for start in range(0, len(keys), _BATCH):
        chosen = Difference.objects.filter(pk__in=keys[start : start + _BATCH]).order_by("integration_id", "pk")
        with transaction.atomic():
            renew_lease()
            possible = [
                each
                for each in chosen.select_related("integration__rule", "integration__connection")
                if not each.integration.is_inbound or is_crm_id(each.crm_id, connection=each.integration.connection)
            ]
            for _, group in groupby(possible, key=attrgetter("integration_id")):
                _repair(list(group))
            repaired += Difference.objects.filter(pk__in=[each.pk for each in possible]).update(is_repaired=True)
    return repaired


def _repair(differences: Sequence[Difference]) -> None:
    """Repair up to 200 differences of one integration."""
    integration = differences[0].integration
    plan = compile_integration(integration=integration)
    links = _Links(differences=differences, plan=plan)
    for difference in differences:
        if integration.is_inbound:
            _read_again(links, difference)
        else:
            _send_again(links, difference, plan=plan)
    if not integration.is_inbound:
        _forget_accounts(plan=plan, differences=differences)
    links.write()


def _send_again(links: _Links, difference: Difference, *, plan: CompiledIntegration) -> None:
    """Make the next transfer send a record, or show its deletion."""
    is_gone = difference.word in (RecordWord.ORPHANED, RecordWord.MISSING_HERE)
    link = links.find_gone(difference) if is_gone else links.find(difference)
    if difference.fields.get(DELETED) == [False, True]:
        link.state, link.pending = LinkState.DELETED_IN_CRM, False
        return
    # Without a CRM id it is sent as a record that the CRM never had: an upsert, which finds one that is there.
    links.claim_crm_id(link, "" if difference.word == RecordWord.MISSING_THERE else difference.crm_id)
    if is_gone:
        link.deletion_base = str(difference.fields.get(plan.deletion_field, [None, None])[1] or "")
    links.send(link)


def _read_again(links: _Links, difference: Difference) -> None:
    """Make the next transfer read a call by its id."""
    link = links.find_call(difference)
    if difference.word == RecordWord.MISSING_HERE:
        link.record_uid = None
    else:
        links.claim_record(link, difference.record_uid)
    link.digest, link.state, link.pending = "", LinkState.LIVE, True


class _Links:
    """The links of some differences of one integration, to be corrected and then written in a few statements."""

    def __init__(self, *, differences: Sequence[Difference], plan: CompiledIntegration) -> None:
        self._integration = plan.integration
        of_integration = TransferLink.objects.filter(integration=self._integration)
        uids = [each.record_uid for each in differences if each.record_uid is not None]
        crm_ids = [each.crm_id for each in differences if each.crm_id]
        known = {link.pk: link for link in of_integration.filter(record_uid__in=uids)}
        known |= {link.pk: link for link in of_integration.filter(crm_id__in=crm_ids) if link.pk not in known}
        self._stored = list(known.values())
        self._new: list[TransferLink] = []
        linked = [link.record_uid for link in self._stored if link.record_uid is not None]
        records = plan.vault_object.model._base_manager.filter(uid__in=linked)
        self._living = set(records.values_list("uid", flat=True))
        self._by_uid: dict[UUID | None, TransferLink] = {
            link.record_uid: link for link in self._stored if link.record_uid is not None
        }
        self._by_crm_id = {link.crm_id: link for link in self._stored if link.crm_id}

    def find(self, difference: Difference) -> TransferLink:
        """Return the link of a record, or a new one."""
        return self._by_uid.get(difference.record_uid) or self._add(record_uid=difference.record_uid)

    def find_gone(self, difference: Difference) -> TransferLink:
        """Return the link of a CRM record whose record is gone, or a new one.

        A new one has the UID of no record: that of the external id, unless another CRM record is linked to it.
        """
        link = self._by_crm_id.get(difference.crm_id)
        if link is not None and link.record_uid not in self._living:
            link.record_uid = link.record_uid or uuid4()
            return link
        uid = difference.record_uid
        return self._add(record_uid=uid if uid is not None and uid not in self._by_uid else uuid4())

    def find_call(self, difference: Difference) -> TransferLink:
        """Return the link of a call, or a new one without a record."""
        return self._by_crm_id.get(difference.crm_id) or self._add(record_uid=None, crm_id=difference.crm_id)

    def claim_crm_id(self, link: TransferLink, crm_id: str) -> None:
        """Give a CRM id to a link; one that had it wrongly is sent again by external id."""
        other = self._by_crm_id.get(crm_id)
        if other is not None and other is not link and other.crm_id == crm_id:
            other.crm_id = ""
            self.send(other)
        link.crm_id = crm_id

    def claim_record(self, link: TransferLink, record_uid: UUID | None) -> None:
        """Give a record to the link of its call; one that had it wrongly loses it."""
        other = self._by_uid.get(record_uid)
        if other is not None and other is not link and other.record_uid == record_uid:
            other.record_uid, other.pending = None, True
        link.record_uid = record_uid

    def send(self, link: TransferLink) -> None:
        """Make the next transfer send the record of a link, whatever the CRM has."""
        link.version, link.dependency_version, link.digest = 0, 0, ""
        link.state, link.pending = LinkState.LIVE, True

    def write(self) -> None:
        """Write all links. What must be unique is taken away first, so that links may exchange it."""
        TransferLink.objects.filter(pk__in=[link.pk for link in self._stored]).update(crm_id="", record_uid=None)
        TransferLink.objects.bulk_create(
            self._stored, update_conflicts=True, unique_fields=["id"], update_fields=_LINK_FIELDS
        )
        TransferLink.objects.bulk_create(self._new)

    def _add(self, *, record_uid: UUID | None, crm_id: str = "") -> TransferLink:
        link = TransferLink(integration=self._integration, record_uid=record_uid, crm_id=crm_id)
        self._new.append(link)
        self._by_uid |= {record_uid: link} if record_uid is not None else {}
        self._by_crm_id |= {crm_id: link} if crm_id else {}
        return link


def _forget_accounts(*, plan: CompiledIntegration, differences: Iterable[Difference]) -> None:
    """Delete the matches of persons whose record is on another account, so that the transfer looks them up again."""
    person = plan.person_field
    if person is None or person.end is None:
        return
    uids: list[UUID] = [
        each.record_uid for each in differences if person.target in each.fields and each.record_uid is not None
    ]
    records = plan.vault_object.model._base_manager.filter(uid__in=uids)
    AccountMatch.objects.filter(
        connection=plan.integration.connection_id, person__in=records.values(f"{person.end.attribute}_id")
    ).delete()
