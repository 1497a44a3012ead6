"""Register the object Activity."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.utils import formats, timezone

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.reference_choices import list_likely_people, list_likely_sites
from ctms.configuration.form_offers import LikelyChoices, NextStep, Templates
from ctms.configuration.layouts import FieldSection, Layout
from ctms.configuration.quick_changes import QuickChange
from ctms.configuration.registry import DeliveredView, InStudy, ObjectType, Question, VaultObject, register_object
from ctms.core.choices import RecordStatus
from ctms.records.bulk.handing_over.owned import OwnedObject, register_owned
from ctms.records.conditions.mine import MINE_HERE, OWNER, limit_to_owned, register_mine

CHANNEL_ICONS: dict[str, str] = {
    Channel.IN_PERSON: "in-person",
    Channel.VIDEO: "video",
    Channel.PHONE: "phone",
    Channel.CHAT_TEXT: "chat",
    Channel.EMAIL: "email",
    Channel.OTHER: "other-channel",
}
CHANNEL_NOUNS: dict[str, str] = {
    Channel.IN_PERSON: "Meeting",
    Channel.VIDEO: "Video call",
    Channel.PHONE: "Call",
    Channel.CHAT_TEXT: "Chat",
    Channel.EMAIL: "Email",
}
SOURCES = ("monitoring_event__v", "study_communication__v")


def fill_from(activity: Any, user: User) -> None:
    """Set From to the user who logs the activity, as `First Last (email)`."""
    activity.from_text = user.display_contact


def describe_completion(activity: Any) -> tuple[str, str]:
    """Return key and label of the badge: complete, planned, or overdue by the user's time zone."""
    if activity.complete:
        return "complete", "Complete"
    if activity.date is not None and activity.date < timezone.localdate():
        return "overdue", "Overdue"
    return "planned", "Planned"


def is_open(activity: Any) -> bool:
    """Whether an activity is planned or overdue."""
    return not activity.complete


def suggest_today(_user: User) -> dict[str, Any]:
    """Suggest for a new activity that it took place today, by the user's time zone."""
    return {"date__v": timezone.localdate(), "complete__v": True}


def plan_for(user: User) -> dict[str, Any]:
    """Return in what a next step differs from the activity that it follows: it is planned, and its planner's own."""
    return {"complete__v": False, OWNER: user}


def tell_new(activity: Any) -> str:
    """Return what people call a new activity, such as `Call with Diego Peña, site 03201`."""
    contact = f"{CHANNEL_NOUNS.get(activity.channel, 'Contact')} with {activity.person}"
    site = f", site {activity.site}" if activity.site is not None else ""
    planned = f", {formats.date_format(activity.date, 'j M')}" if not activity.complete else ""
    return f"{contact}{site}{planned}"


def ask_completed_before(activity: Any) -> str:
    """Ask about an activity that is complete although its date lies in the future, by the user's time zone."""
    if not activity.complete or activity.date is None or activity.date <= timezone.localdate():
        return ""
    return f"{formats.date_format(activity.date)} is still to come. Is the activity complete already?"


def register_activity_objects() -> None:
    """Register the object; called once, when the app is ready."""
    register_mine(model=Activity, label="my activities", limit=limit_to_owned)
    register_owned(
        OwnedObject(
            model=Activity,
            label="Activities that are not complete",
            is_open=Q(complete=False, status=RecordStatus.ACTIVE, object_type=ActivityType.CLINICAL),
            order=("date",),
            columns=("person__v", "site__v", "date__v"),
            position=3,
            day="date",
        )
    )
    register_object(
        VaultObject(
            model=Activity,
            scope=InStudy(),
            description="An activity is a contact with a person of a study: a call, a visit, an e-mail. Study teams "
            "log their own; those of the medical teams come from the Medical CRM.",
            fields={
                "person__v": "person",
                "date__v": "date",
                "channel__v": "channel",
                "complete__v": "complete",
                "from__v": "from_text",
                "subject__v": "subject",
                "notes__v": "notes",
                "study__v": "study",
                "study_country__v": "study_country",
                "site__v": "site",
                "study_person__v": "study_person",
                "monitoring_event__v": "monitoring_event",
                "study_communication__v": "study_communication",
                "connection__v": "connection",
                "crm_id__v": "crm_id",
                OWNER: "owner",
            },
            object_types=(
                ObjectType(api_name=ActivityType.CLINICAL, label=ActivityType.CLINICAL.label),
                ObjectType(
                    api_name=ActivityType.MEDICAL,
                    label=ActivityType.MEDICAL.label,
                    delivered_active=False,
                    origin="the Medical CRM",
                ),
            ),
            generated_fields=frozenset({"name__v"}),
            unassigned_fields=frozenset(SOURCES),
            list_columns=(
                "subject__v",
                "date__v",
                "person__v",
                "channel__v",
                "complete__v",
                "study__v",
                "site__v",
                OWNER,
                "name__v",
            ),
            default_sort="-date__v",
            search_fields=("name__v", "subject__v", "person__v.name__v"),
            title_field="subject__v",
            filters=(
                "study__v",
                "site__v",
                "person__v",
                OWNER,
                "channel__v",
                "complete__v",
                "date__v",
                "object_type__v",
                "status__v",
            ),
            header_fields=("person__v", "study__v", "site__v", "date__v", "channel__v", "complete__v", OWNER),
            quick_fields=(
                "person__v",
                "subject__v",
                "channel__v",
                "date__v",
                "complete__v",
                "notes__v",
                "site__v",
                "study__v",
                *SOURCES,
            ),
            quick_values={"channel__v": Channel.PHONE},
            create_one_per="person__v",
            done_by={"complete__v": "date__v"},
            tell_new=tell_new,
            templates=Templates(
                of_object="activity_template__v", by="study__v", words=("subject__v", "notes__v", "channel__v")
            ),
            next_step=NextStep(
                day="date__v", text="subject__v", without=("notes__v", "external_id__v", *SOURCES), build=plan_for
            ),
            likely_choices={
                "person__v": LikelyChoices(
                    by=("site__v", "study__v", *SOURCES), build=list_likely_people, together="All people of the site"
                ),
                "site__v": LikelyChoices(by=("person__v",), build=list_likely_sites),
            },
            layouts=(
                Layout(
                    name="Activity page layout",
                    sections=(
                        FieldSection(
                            title="Activity Details",
                            fields=(
                                "object_type__v",
                                "person__v",
                                "date__v",
                                "channel__v",
                                "complete__v",
                                "subject__v",
                                "notes__v",
                                OWNER,
                                "from__v",
                                "status__v",
                            ),
                        ),
                        FieldSection(
                            title="Study Details",
                            fields=("site__v", "study_person__v", "study_country__v", "study__v"),
                        ),
                        FieldSection(title="Origin", fields=("connection__v", "crm_id__v")),
                    ),
                ),
            ),
            badges={"complete__v": describe_completion},
            icons={"channel__v": CHANNEL_ICONS},
            views=(
                DeliveredView(name="Mine", parameters=f"{urlencode(MINE_HERE)}&status__v=active__v&sort=-date__v"),
                DeliveredView(
                    name="Mine, planned",
                    parameters=f"{urlencode(MINE_HERE)}&complete__v=false&status__v=active__v&sort=date__v",
                ),
                DeliveredView(
                    name="Overdue",
                    parameters="complete__v=false&date__v__within=past&status__v=active__v&sort=date__v",
                ),
                DeliveredView(
                    name="Overdue at my sites",
                    parameters="complete__v=false&date__v__within=past&site__v=mine&status__v=active__v&sort=date__v",
                ),
                DeliveredView(name="My sites", parameters="site__v=mine&status__v=active__v&sort=-date__v"),
                DeliveredView(
                    name="This week",
                    parameters="date__v__within=this_week&status__v=active__v&sort=date__v",
                ),
            ),
            quick_changes=(
                QuickChange(
                    api_name="complete",
                    label="Complete",
                    icon="check",
                    key="c",
                    values={"complete__v": True},
                    applies=is_open,
                ),
                QuickChange(
                    api_name="reschedule", label="Reschedule", icon="event", key="r", asks="date__v", applies=is_open
                ),
            ),
            tab=6,
            icon="activity",
            complete_new=fill_from,
            initial_values=suggest_today,
            kept_fields=("date__v", "channel__v", "site__v", "study_country__v", "study__v"),
            take_over=lambda typed: {"subject__v": typed},
            questions=(Question(fields=("date__v", "complete__v"), ask=ask_completed_before),),
        )
    )
