"""Register the object Activity Template, whose records the forms of activities offer where their study is known."""

from __future__ import annotations

from activities.choices import Channel
from activities.models import ActivityTemplate
from ctms.configuration.layouts import FieldSection, Layout
from ctms.configuration.registry import InStudy, VaultObject, register_object


def register_activity_templates() -> None:
    """Register the object; called once, when the app is ready."""
    register_object(
        VaultObject(
            model=ActivityTemplate,
            scope=InStudy(),
            description="An activity template holds words that activities of a study begin with: a subject, an outline "
            "of the notes, perhaps a channel.",
            fields={"study__v": "study", "channel__v": "channel", "subject__v": "subject", "notes__v": "notes"},
            list_columns=("name__v", "study__v", "subject__v", "channel__v", "status__v"),
            default_sort="name__v",
            search_fields=("name__v", "subject__v"),
            filters=("study__v", "channel__v", "status__v"),
            header_fields=("study__v", "channel__v"),
            kept_fields=("study__v",),
            icons={"channel__v": {Channel.PHONE: "phone", Channel.EMAIL: "email", Channel.VIDEO: "video"}},
            layouts=(
                Layout(
                    name="Activity template page layout",
                    sections=(
                        FieldSection(
                            title="Activity Template Details",
                            fields=("name__v", "study__v", "subject__v", "notes__v", "channel__v", "status__v"),
                        ),
                    ),
                ),
            ),
            icon="activity",
        )
    )
