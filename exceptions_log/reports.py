"""The report on what the transfer of calls could not do, as the requirement documents build it."""

from __future__ import annotations

from connections.choices import IntegrationKind
from ctms.core.choices import RecordStatus
from ctms.reports.definition import RELATED_MARK, ReportDefinition, TypeDefinition
from ctms.reports.delivered import DeliveredReport, DeliveredType, register_delivered_report
from ctms.reports.sources import Lookup, register_column
from exceptions_log.models import ExceptionItem, ExceptionMessage

USER_EXCEPTIONS = "user_exceptions"
INTEGRATION_KIND = "integration_kind__sys"
_ITEM = f"{ExceptionItem.object_name}{RELATED_MARK}"

MESSAGES_WITH_ITEMS = DeliveredType(
    key="user_exception_message_with_item",
    name="User Exception Message with User Exception Item",
    description="What could not be transferred: a message for each run, with an item for each record that failed.",
    definition=TypeDefinition(
        primary=ExceptionMessage.object_name, related=ExceptionItem.object_name, reference="exception_message__sys"
    ),
)


def register_exception_reports() -> None:
    """Register the report; called once, when the app is ready."""
    # Who reads messages need not read integrations, and a connection brings integrations of its own.
    register_column(
        object_name=ExceptionMessage.object_name,
        api_name=INTEGRATION_KIND,
        lookup=Lookup("integration__kind", "Integration kind"),
    )
    register_delivered_report(
        DeliveredReport(
            key=USER_EXCEPTIONS,
            name="User Exceptions",
            description="Activities that could not be sent to the Medical CRM or received from it in the last 24 "
            "hours, and why.",
            report_type=MESSAGES_WITH_ITEMS,
            definition=ReportDefinition(
                type=MESSAGES_WITH_ITEMS.definition,
                filters=(
                    {"field": "status__v", "operator": "is", "values": [RecordStatus.ACTIVE.value]},
                    {"field": "created_date__v", "operator": "within", "values": ["last_1_days"]},
                    {
                        "field": INTEGRATION_KIND,
                        "operator": "is",
                        "values": [IntegrationKind.CALL_INBOUND.value, IntegrationKind.CALL_OUTBOUND.value],
                    },
                ),
                # Beyond the documents: what still fails, and no message alone to readers who see none of its items.
                related_filters=(
                    {"field": "resolved_date__sys", "operator": "empty", "values": []},
                    {"field": "dismissed_date__sys", "operator": "empty", "values": []},
                ),
                columns=(
                    "name__v",
                    f"{_ITEM}error_type__sys",
                    f"{_ITEM}error_message__sys",
                    f"{_ITEM}item__sys",
                    f"{_ITEM}item_data__sys",
                ),
            ),
        )
    )
