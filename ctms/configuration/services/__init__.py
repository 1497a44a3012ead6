"""Services that write the configuration: `object_types`, `custom_fields`, `layouts` and `settings`."""

from ctms.configuration.services.custom_fields import create_custom_field, delete_custom_field, update_custom_field
from ctms.configuration.services.delivered_fields import deliver_layout_fields
from ctms.configuration.services.kept_values import move_choice
from ctms.configuration.services.layouts import (
    change_layouts,
    create_type_layout,
    delete_layout,
    deliver_page_layouts,
    save_layout,
)
from ctms.configuration.services.object_types import (
    FieldDecision,
    assign_action,
    assign_fields,
    decide_fields,
    deliver_object_types,
    set_object_type_status,
    take_off_fields,
    unassign_action,
)
from ctms.configuration.services.settings import set_application_settings

__all__ = [
    "FieldDecision",
    "assign_action",
    "assign_fields",
    "change_layouts",
    "create_custom_field",
    "create_type_layout",
    "decide_fields",
    "delete_custom_field",
    "delete_layout",
    "deliver_layout_fields",
    "deliver_object_types",
    "deliver_page_layouts",
    "move_choice",
    "save_layout",
    "set_application_settings",
    "set_object_type_status",
    "take_off_fields",
    "unassign_action",
    "update_custom_field",
]
