"""Register the objects of user exceptions. Users read them; only jobs write them."""

from __future__ import annotations

from django.db.models import QuerySet

from ctms.accounts.models import User
from ctms.audit.places import CONNECTION, register_place
from ctms.clinical.access import limit_to_records_named
from ctms.configuration.layouts import FieldSection, Layout
from ctms.configuration.registry import NoStudy, VaultObject, register_object
from exceptions_log.models import INTEGRATION_KEY, ExceptionItem, ExceptionMessage


def register_exception_objects() -> None:
    """Register the objects; called once, when the app is ready."""
    register_place(model=ExceptionMessage, column=CONNECTION, path="connection")
    register_place(model=ExceptionItem, column=CONNECTION, path="message__connection")
    register_object(
        VaultObject(
            model=ExceptionMessage,
            scope=NoStudy("a run transfers all studies"),
            fields={"connection__sys": "connection", "integration__sys": "integration", "job__sys": "job"},
            list_columns=("name__v", "connection__sys", "integration__sys", "status__v", "created_date__v"),
            layouts=(
                Layout(
                    name="User exception page layout",
                    sections=(
                        FieldSection(
                            title="Details",
                            fields=("name__v", "status__v", "connection__sys", "integration__sys", "created_date__v"),
                        ),
                    ),
                ),
            ),
            is_setup=True,
        )
    )
    register_object(
        VaultObject(
            model=ExceptionItem,
            scope=NoStudy("a run transfers all studies; an item is seen with its record", limit=limit_to_visible_items),
            fields={
                "exception_message__sys": "message",
                "error_type__sys": "error_type",
                "error_message__sys": "error_message",
                "item__sys": "item",
                "item_data__sys": "item_data",
                "attempts__sys": "attempts",
                "first_failed__sys": "first_failed_at",
                "last_failed__sys": "last_failed_at",
                "dismissed_date__sys": "dismissed_at",
                "dismissal_reason__sys": "dismissal_reason",
                "problem__sys": "cause",
                "resolved_date__sys": "resolved_at",
            },
            # In the order of the requirement documents.
            list_columns=("name__v", "error_type__sys", "error_message__sys", "item__sys", "item_data__sys"),
            is_setup=True,
        )
    )


def limit_to_visible_items(items: QuerySet[ExceptionItem], user: User) -> QuerySet[ExceptionItem]:
    """Filter for items of records that the user sees, and of whole integrations and jobs."""
    of_records = limit_to_records_named(items, user, object_field="record_object")
    return of_records | items.filter(key__startswith=INTEGRATION_KEY)
