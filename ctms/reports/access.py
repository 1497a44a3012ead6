"""Which reports a user sees, in what role, and as whom they run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.records.access import AccessRefusedError
from ctms.records.conditions.addresses import split_name
from ctms.reports.choices import ShareRole
from ctms.reports.definition import ReportDefinition, read_definition, read_type
from ctms.reports.engine.opening import OpenReport, try_open
from ctms.reports.errors import InvalidReportError, Problem
from ctms.reports.models import Report, ReportShare
from ctms.reports.sources import ReportConfiguration, find_source, load_report_configuration

_RANKS = (ShareRole.VIEWER, ShareRole.EDITOR, ShareRole.OWNER)


class UnknownReportError(VaultError):
    """There is no such report, or the user does not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """A report as one user sees it. `user` reads it; it runs with the rights of `runs_as`."""

    report: Report
    user: User
    role: ShareRole

    @property
    def runs_as(self) -> User:
        return self.report.owner if self.report.run_as_owner and self.report.owner_id != self.user.pk else self.user

    @property
    def runs_as_other(self) -> bool:
        """Whether the reader sees rows by the rights of somebody else, which readers are told."""
        return self.runs_as.pk != self.user.pk

    @property
    def is_owner(self) -> bool:
        return self.role == ShareRole.OWNER

    @property
    def is_delivered(self) -> bool:
        return self.report.delivered_key is not None

    @property
    def can_edit(self) -> bool:
        return self.role != ShareRole.VIEWER and may(user=self.user, action="edit")

    @property
    def can_share(self) -> bool:
        """Whether the user may share the report, schedule it, choose as whom it runs and hand it to a new owner."""
        return self.is_owner and may(user=self.user, action="edit")

    @property
    def can_delete(self) -> bool:
        return self.is_owner and may(user=self.user, action="delete")


def may(*, user: User, action: str) -> bool:
    """Whether the profile allows the action with reports; to change or delete one takes a role in it, too."""
    return has_permission(user=user, permission=f"report__sys:{action}")


def administers_reports(user: User) -> bool:
    """Whether the user looks after reports of the Vault: those delivered, and those whose owner has left."""
    return may(user=user, action="edit") and has_permission(user=user, permission="report_type__sys:edit")


def is_orphaned(report: Report) -> bool:
    """Whether the owner of the report has left, so that somebody has to take it over."""
    return not report.owner.is_active or report.owner.has_ended


def list_reports(user: User) -> list[StoredReport]:
    """Return the reports that the user sees, by name. Raises AccessRefusedError for users who may read none."""
    return _list(user=user, reports=Report.objects.all())


def open_stored(*, user: User, uid: UUID) -> StoredReport:
    """Return a report with the user's role in it.

    Raises UnknownReportError, and AccessRefusedError for users who may read no report.
    """
    found = _list(user=user, reports=Report.objects.filter(uid=uid))
    if not found:
        raise UnknownReportError("There is no report of this address, or it is not shared with you.")
    return found[0]


def run_stored(
    stored: StoredReport, *, address: QueryDict | None = None, definition: ReportDefinition | None = None
) -> OpenReport:
    """Open the report with the rights by which it runs; its problems are among those of the answer.

    Conditions in the address narrow it. With the rights of another user, only prompts are taken, because others would
    ask about what the reader may not see. `definition` is what is asked instead, with the columns and conditions of
    the report, such as in another order. Raises InvalidReportError if nothing of the report can be opened.
    """
    report = stored.report
    if stored.runs_as_other and is_orphaned(report):
        raise InvalidReportError(
            [
                Problem(
                    part="type",
                    text=f"The report runs as its owner {report.owner}, whose account is not active any more. "
                    "Ask an admin for a new owner.",
                )
            ]
        )
    definition = definition or read_definition(report)
    if address and stored.runs_as_other:
        _require_prompts(
            opened=try_open(definition=definition, user=stored.runs_as), prompts=definition.prompts, address=address
        )
    return try_open(definition=definition, user=stored.runs_as, address=address)


def list_shares(user: User) -> QuerySet[ReportShare]:
    """Return the shares that give the user a role: their own, and those of their profile."""
    given = Q(user=user)
    if user.security_profile_id is not None:
        given |= Q(profile=user.security_profile_id)
    return ReportShare.objects.filter(given)


def _require_prompts(*, opened: OpenReport, prompts: Collection[str], address: QueryDict) -> None:
    primary = opened.primary
    for name in address:
        named = split_name(asker=primary.asker, object_name=primary.shape.api_name, name=name)
        if named is not None and named.subject.path not in prompts:
            text = f"{named.subject.label}: a report that runs as its owner is narrowed by its prompts alone."
            raise InvalidReportError([Problem(part="prompts", text=text)])


def _list(*, user: User, reports: QuerySet[Report]) -> list[StoredReport]:
    if not may(user=user, action="read"):
        raise AccessRefusedError("Your security profile does not allow you to read reports. Ask an admin.")
    roles = _read_roles(list_shares(user).values_list("report", "role"))
    is_admin = administers_reports(user)
    seen = Q(owner=user) | Q(pk__in=list(roles)) | Q(delivered_key__isnull=False)
    if is_admin:
        seen |= Q(owner__is_active=False) | Q(owner__valid_until__isnull=False)
    found = reports.filter(seen).select_related("report_type", "owner__security_profile").order_by("name", "pk")
    # Whose request is limited to less than they may see is not shown what somebody else may see.
    is_limited = user.calling_for is not None or (user.reach is not None and user.reach.is_narrowed)
    configuration = load_report_configuration()
    stored = [
        StoredReport(report=report, user=user, role=role)
        for report in found
        if (
            role := _find_role(
                report=report, user=user, shared=roles.get(report.pk), is_admin=is_admin, configuration=configuration
            )
        )
        is not None
    ]
    return [
        each
        for each in stored
        if (each.report.status == RecordStatus.ACTIVE or each.role != ShareRole.VIEWER)
        and not (is_limited and each.runs_as_other)
    ]


def _find_role(
    *, report: Report, user: User, shared: ShareRole | None, is_admin: bool, configuration: ReportConfiguration
) -> ShareRole | None:
    is_delivered = report.delivered_key is not None
    if report.owner_id == user.pk or (is_admin and (is_delivered or is_orphaned(report))):
        return ShareRole.OWNER
    if shared is None and is_delivered and _may_read(report=report, user=user, configuration=configuration):
        return ShareRole.VIEWER
    return shared


def _may_read(*, report: Report, user: User, configuration: ReportConfiguration) -> bool:
    """Whether the user may read what a report is about."""
    about = read_type(report.report_type)
    return all(
        find_source(user=user, object_name=name, configuration=configuration) is not None
        for name in filter(None, (about.primary, about.related))
    )


def _read_roles(shares: Iterable[tuple[int, str]]) -> Mapping[int, ShareRole]:
    """Return the highest of the roles that shares give in each report, by its primary key."""
    roles: dict[int, ShareRole] = {}
    for report, name in shares:
        role = ShareRole(name)
        roles[report] = max(roles.get(report, role), role, key=_RANKS.index)
    return roles
