"""The console pages of the configuration: `objects`, `object_types`, `custom_fields`, `layouts`, `settings`.

`settings` has security profiles, too; `setup` is the landing page with the checklist. The others share `pages`.
"""

from ctms.configuration.admin.custom_fields import CustomFieldAdmin
from ctms.configuration.admin.layouts import PageLayoutAdmin
from ctms.configuration.admin.object_types import ObjectTypeAdmin
from ctms.configuration.admin.objects import ConfiguredObjectAdmin
from ctms.configuration.admin.profiles import SecurityProfileAdmin
from ctms.configuration.admin.reasons import ReasonRuleAdmin
from ctms.configuration.admin.settings import ApplicationSettingsAdmin

__all__ = [
    "ApplicationSettingsAdmin",
    "ConfiguredObjectAdmin",
    "CustomFieldAdmin",
    "ObjectTypeAdmin",
    "PageLayoutAdmin",
    "ReasonRuleAdmin",
    "SecurityProfileAdmin",
]
