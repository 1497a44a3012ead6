"""What reports can be about beside objects, of the floors below: users, profiles, the audit trail and runs of jobs."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, OuterRef, QuerySet, Subquery, TextField, Value, When
from django.db.models.functions import Cast, Coalesce

from ctms.accounts.models import SecurityProfile, User
from ctms.accounts.policies import list_visible
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.audit.models import AuditEntry
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.jobs.models import JobRun
from ctms.reports.sources import Lookup, SetupSource, SourceObject, register_source

USERS, PROFILES, ENTRIES, RUNS = "user__sys", "security_profile__sys", "audit_entry__sys", "job_run__sys"
SECURITY = "admin:security"
_GONE = "(gone, or not visible to you)"
# The objects that entries name by uid, as which text, by their column.
_NAMED = {"study_uid": ("study__v", "study_name"), "connection_uid": ("connection__sys", "connection_name")}


def register_setup_sources() -> None:
    """Register the sources; called once, when the app is ready."""
    register_source(
        SetupSource(
            vault_object=SourceObject(model=User, source_name=USERS, title_field="username__sys"),
            columns={
                "username__sys": Lookup("username"),
                "first_name__sys": Lookup("first_name"),
                "last_name__sys": Lookup("last_name"),
                "email__sys": Lookup("email", "E-mail address"),
                "security_profile__sys": Lookup("security_profile"),
                "profile_status__sys": Lookup("security_profile__status", "Security profile: Status"),
                "sees_all_studies__sys": Lookup("security_profile__sees_all_studies", "Sees all studies"),
                "active__sys": Lookup("is_active", "Active"),
                "superuser__sys": Lookup("is_superuser", "Superuser"),
                "must_change_password__sys": Lookup("must_change_password"),
                "time_zone__sys": Lookup("time_zone"),
                "valid_until__sys": Lookup("valid_until"),
                "last_log_in__sys": Lookup("last_login", "Last log-in"),
                "created_date__v": Lookup("date_joined", "Created date"),
            },
            permission=SECURITY,
            limit=_show_all,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(model=SecurityProfile, source_name=PROFILES),
            columns={
                "name__v": Lookup("name"),
                "api_name__sys": Lookup("api_name"),
                "status__v": Lookup("status"),
                "description__sys": Lookup("description"),
                "permissions__sys": Lookup("permissions"),
                "sees_all_studies__sys": Lookup("sees_all_studies"),
                "log_views__sys": Lookup("log_views"),
                "created_date__v": Lookup("created_at"),
                "created_by__v": Lookup("created_by"),
                "modified_date__v": Lookup("modified_at"),
                "modified_by__v": Lookup("modified_by"),
            },
            permission=SECURITY,
            limit=_show_all,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(
                model=AuditEntry, source_name=ENTRIES, words=("audit trail entry", "audit trail entries")
            ),
            # Neither values nor their words: they can name records that the reader does not see.
            columns={
                "time__sys": Lookup("at", "Time"),
                "user__sys": Lookup("actor", "User"),
                "user_name__sys": Lookup("actor_name", "User as named then"),
                "role__sys": Lookup("actor_role"),
                "action__sys": Lookup("action"),
                "object__sys": Lookup("object_label", "Object"),
                "object_name__sys": Lookup("object_name", "API name of the object"),
                "record__sys": Lookup("record_name", "Record"),
                "study__sys": Lookup("study_name", "Study", is_text=True),
                "connection__sys": Lookup("connection_name", "Connection", is_text=True),
                "source__sys": Lookup("source"),
                "reference__sys": Lookup("reference"),
                "address__sys": Lookup("address"),
                "reason__sys": Lookup("reason"),
            },
            permission=AUDIT_PERMISSION,
            limit=_limit_entries,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(model=JobRun, source_name=RUNS),
            columns={
                "job__sys": Lookup("definition", "Job"),
                "unit__sys": Lookup("unit_label", "Unit"),
                "state__sys": Lookup("state"),
                "trigger__sys": Lookup("trigger"),
                "due_date__sys": Lookup("slot", "Due"),
                "attempt__sys": Lookup("attempt"),
                "queued_date__sys": Lookup("queued_at", "Queued"),
                "started_date__sys": Lookup("started_at", "Started"),
                "finished_date__sys": Lookup("finished_at", "Finished"),
                "message__sys": Lookup("message"),
                "requested_by__sys": Lookup("requested_by"),
                "cancelled_by__sys": Lookup("cancel_requested_by", "Cancelled by"),
            },
            permission=JobRun.object_name,
            limit=_show_all,
        )
    )


def _show_all(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    del user
    return rows


def _limit_entries(entries: QuerySet[AuditEntry], user: User) -> QuerySet[AuditEntry]:
    """Return the entries that the user sees, and the names of studies and connections that the user sees."""
    names: dict[str, Any] = {}
    for column, (object_name, name) in _NAMED.items():
        missing = Case(When(**{f"{column}__isnull": False}, then=Value(_GONE)), output_field=TextField())
        try:
            model = get_object(object_name).model
        except UnknownObjectError:
            names[name] = missing
            continue
        seen = list_visible(model._default_manager.order_by(), user).filter(uid=OuterRef(column))
        names[name] = Coalesce(Cast(Subquery(seen.values("name")[:1]), TextField()), missing)
    return list_visible(entries, user).annotate(**names)
