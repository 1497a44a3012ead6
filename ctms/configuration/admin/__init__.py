"""Configuration in the admin: objects with their types, fields and layouts, application settings, security profiles."""

from ctms.configuration.admin.custom_fields import CustomFieldAdmin
from ctms.configuration.admin.layouts import PageLayoutAdmin
from ctms.configuration.admin.object_types import ObjectTypeAdmin
from ctms.configuration.admin.objects import ConfiguredObjectAdmin
from ctms.configuration.admin.settings import ApplicationSettingsAdmin, SecurityProfileAdmin

__all__ = [
    "ApplicationSettingsAdmin",
    "ConfiguredObjectAdmin",
    "CustomFieldAdmin",
    "ObjectTypeAdmin",
    "PageLayoutAdmin",
    "SecurityProfileAdmin",
]
