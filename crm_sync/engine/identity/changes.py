"""Follow identifiers that changed on either side, in every run, so that no record stays with a wrong person or account.

Accounts that changed in the CRM since the last run, and all known ones once a day, are compared with the matches and
received calls that rest on their identifiers; persons that changed here with the calls that they were given. What rests
on another identifier now is marked as pending: this run sends it again or reads it again, which moves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from connections.choices import FieldRuleKind
from connections.models import FieldRule
from crm_sync.choices import LinkState
from crm_sync.engine.identity.account_matching import (
    build_identifier_expression,
    find_former,
    spell_identifier,
)
from crm_sync.engine.rule_paths import list_rule_paths
from crm_sync.engine.run_session import split
from crm_sync.models import AccountMatch, OrganisationProgress, TransferLink
from ctms.audit.bookmarks import Bookmark, list_changed_uids
from ctms.clinical.models import Person
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.models import QuerySet

    from connections.models import Connection
    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.rule_paths import RulePath
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from crm_sync.engine.run_session import IntegrationSession, RunSession

_KEYS_PER_STATEMENT = 1000
# The CRM's clock is read to the second, from answers that overtake each other.
_CLOCK_TOLERANCE = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class _Moved:
    """What rests on an identifier that has changed: persons by key, and links of received calls by key."""

    persons: set[int] = field(default_factory=set)
    calls: set[int] = field(default_factory=set)


def refresh_identities(session: IntegrationSession) -> None:
    """Mark what has to move, once in a run. Raises the errors of reading the accounts, as the integration would."""
    if session.run.has_fresh_identities or session.plan.identifiers is None or session.plan.person_field is None:
        return
    connection = session.integration.connection
    _Refresh(run=session.run, connection=connection, identifiers=session.plan.identifiers).execute()
    session.run.has_fresh_identities = True


class _Refresh:
    def __init__(self, *, run: RunSession, connection: Connection, identifiers: IdentifierMapping) -> None:
        self._run = run
        self._connection = connection
        self._identifiers = identifiers
        paths = list_rule_paths(connection=connection, kind=FieldRuleKind.PERSON_ACCOUNT)
        # One through a custom reference is refused before anything is sent by it.
        self._paths = [each for each in paths if each.path.rest is None]
        # A dry run may come before the first run, which adds the row.
        progress = OrganisationProgress.objects.filter(connection=connection).first()
        self._progress = progress or OrganisationProgress(connection=connection)
        self._moved = _Moved()

    def execute(self) -> None:
        clock, progress = self._run.crm.clock, self._progress
        crm_now = clock.crm if clock is not None else None
        watermark = progress.accounts_watermark
        is_known = self._compare_persons()
        # From stamps of a clock that is set right by now, later ones would seem to be known.
        is_lost = watermark is None or self._went_back(crm_now)
        if not is_known or is_lost or self._is_comparison_due():
            self._compare_known_accounts()
            progress.accounts_compared_at = get_now()
        if watermark is None or is_lost:
            progress.accounts_watermark = crm_now
        else:
            newest = self._compare_changed_accounts(watermark)
            progress.accounts_watermark = max(watermark, min(newest, crm_now or newest))
        progress.accounts_read_at = crm_now
        progress.persons_bookmark = str(self._run.bookmark)
        self._write()

    def _went_back(self, crm_now: datetime | None) -> bool:
        """Whether the CRM's clock is behind what it showed before, so that stamps may be older than the watermark."""
        last = self._progress.accounts_read_at
        return crm_now is not None and last is not None and crm_now < last - _CLOCK_TOLERANCE

    def _is_comparison_due(self) -> bool:
        """Whether all known accounts are to be compared: identifiers may change without a stamp, as formulas do."""
        last = self._progress.accounts_compared_at
        return last is None or abs(get_now() - last) >= timedelta(seconds=settings.CRM_ACCOUNT_RECHECK_SECONDS)

    # -- Persons ----------------------------------------------------------------------------------

    def _compare_persons(self) -> bool:
        """Mark the received calls of persons whose identifier changed; False if it is not known who they are.

        Records that are sent depend on their person, so they are selected anyway.
        """
        since = Bookmark.parse(self._progress.persons_bookmark)
        if since is None or not since.is_before(self._run.bookmark):
            return False
        column = self._identifiers.person_field.attribute.partition("__")[0]
        changed = list_changed_uids(object_names={Person.object_name}, since=since, field=column)
        if changed is None:
            return False
        identified: Any = Person.objects.annotate(value=build_identifier_expression(self._identifiers))
        for uids in split(changed[Person.object_name], _KEYS_PER_STATEMENT):
            values = [value for value in identified.filter(uid__in=uids).values_list("value", flat=True) if value]
            persons = {*Person.objects.filter(uid__in=uids).values_list("pk", flat=True)}
            persons |= {*identified.filter(value__in=values).values_list("pk", flat=True)}
            for path in self._paths:
                if path.integration.is_inbound:
                    links = TransferLink.objects.filter(
                        integration=path.integration, record_uid__in=path.list_uids(sorted(persons))
                    )
                    self._moved.calls.update(links.values_list("pk", flat=True))
        return True

    # -- Accounts ---------------------------------------------------------------------------------

    def _compare_changed_accounts(self, watermark: datetime) -> datetime:
        """Compare the accounts that changed since shortly before the watermark; return the greatest stamp."""
        since = watermark - timedelta(seconds=settings.CRM_TRANSFER_OVERLAP_SECONDS)
        newest = watermark
        for account_object in self._list_account_objects():
            ask = partial(
                self._run.crm.changes_since,
                object_name=account_object,
                fields=[self._identifiers.account_field],
                since=since,
            )
            for rows in split(self._run.read_all(ask), _KEYS_PER_STATEMENT):
                self._compare(rows)
                newest = max([newest, *(row.changed_at for row in rows if row.changed_at is not None)])
        return newest

    def _compare_known_accounts(self) -> None:
        """Compare every account that a match or a received call rests on, 200 in a call."""
        matched = AccountMatch.objects.filter(connection=self._connection).values_list("account_id", flat=True)
        received = TransferLink.objects.filter(integration__connection=self._connection).exclude(account_id="")
        known = {*matched.iterator(), *received.values_list("account_id", flat=True).distinct().iterator()}
        for account_object in self._list_account_objects():
            found = self._run.find_by_id(
                object_name=account_object, fields=[self._identifiers.account_field], crm_ids=sorted(known)
            )
            for _, rows in found:
                self._compare(rows)

    def _compare(self, rows: list[CrmRow]) -> None:
        identifiers = {
            row.crm_id: "" if row.is_deleted else spell_identifier(row.get(self._identifiers.account_field))
            for row in rows
        }
        matches = AccountMatch.objects.filter(
            connection=self._connection, identifier=self._identifiers.key, account_id__in=identifiers
        )
        for person_id, account_id, value in matches.values_list("person_id", "account_id", "value"):
            if identifiers[account_id] != value:
                self._moved.persons.add(person_id)
        # A deleted account leaves its calls as they are; those that a merge moves to another account have new stamps.
        living = {row.crm_id for row in rows if not row.is_deleted}
        for path in self._paths:
            if path.integration.is_inbound:
                self._compare_calls(path=path, identifiers={each: identifiers[each] for each in living})

    def _compare_calls(self, *, path: RulePath, identifiers: dict[str, str]) -> None:
        links = TransferLink.objects.filter(integration=path.integration, account_id__in=identifiers, pending=False)
        expression = build_identifier_expression(self._identifiers, prefix=f"{path.path.lookup}__")
        records = path.model._base_manager.annotate(person_identifier=expression)
        rows = links.exclude(record_uid=None).values_list("pk", "account_id", "record_uid")
        for chunk in split(rows.iterator(chunk_size=_KEYS_PER_STATEMENT), _KEYS_PER_STATEMENT):
            found = records.filter(uid__in=[uid for _, _, uid in chunk])
            rows_by_uid = {uid: rest for uid, *rest in found.values_list("uid", "person_identifier", path.path.lookup)}
            moved = [
                (pk, identifiers[account], rows_by_uid[uid][1])
                for pk, account, uid in chunk
                if uid in rows_by_uid and rows_by_uid[uid][0] != identifiers[account]
            ]
            # What a person was known by who was merged into another is known of that one.
            former = find_former(identifiers=self._identifiers, values={value for _, value, _ in moved})
            self._moved.calls.update(pk for pk, value, person in moved if former.get(value) != person)

    def _list_account_objects(self) -> list[str]:
        rules = FieldRule.objects.filter(
            rule__integration__connection=self._connection, kind=FieldRuleKind.PERSON_ACCOUNT
        ).exclude(reference_object="")
        return sorted(set(rules.values_list("reference_object", flat=True)))

    # -- Marks ------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Mark everything and note how far the comparison came, in one transaction that renews the lease."""
        if dry_run := self._run.dry_run:
            for links in self._list_moved():
                dry_run.mark(links)
            return
        with transaction.atomic():
            self._run.renew_lease()
            for persons in split(sorted(self._moved.persons), _KEYS_PER_STATEMENT):
                AccountMatch.objects.filter(connection=self._connection, person__in=persons).delete()
            for links in self._list_moved():
                links.update(pending=True)
            self._progress.save()

    def _list_moved(self) -> Iterator[QuerySet[TransferLink]]:
        """Yield the links of records that are to be sent again, and of calls that are to be read again."""
        live = TransferLink.objects.filter(state=LinkState.LIVE)
        for persons in split(sorted(self._moved.persons), _KEYS_PER_STATEMENT):
            for path in self._paths:
                sent = live.filter(integration=path.integration, record_uid__in=path.list_uids(persons))
                yield sent.exclude(crm_id="")
        for calls in split(sorted(self._moved.calls), _KEYS_PER_STATEMENT):
            yield live.filter(pk__in=calls)
