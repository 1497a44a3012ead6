from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class ConfigurationConfig(AppConfig):
    name = "ctms.configuration"
    label = "configuration"
    verbose_name = "Configuration"

    def ready(self) -> None:
        from ctms.accounts.page_views import register_name_finder
        from ctms.configuration.checklist import register_checklist
        from ctms.configuration.field_words import register_field_words
        from ctms.configuration.reasons import register_rules
        from ctms.configuration.selectors import find_record_name
        from ctms.configuration.services.field_uses import find_configured_uses
        from ctms.configuration.unique_values import register_unique_values
        from ctms.configuration.uses import register_use_finder

        register_checklist()
        register_field_words()
        register_name_finder(find_record_name)
        register_rules()
        register_unique_values()
        register_use_finder(find_configured_uses)
        pre_migrate.connect(_let_migrate, sender=self)
        post_migrate.connect(_hold_studies, sender=self)
        post_migrate.connect(_deliver, sender=self)


def _let_migrate(*, using: str, plan: list[object], **_kwargs: object) -> None:
    from ctms.configuration.study_constraints import let_migrate

    if plan:
        let_migrate(connections[using])


def _hold_studies(*, using: str, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Let the database refuse places of another study. `apps` has a default, because `flush` does not pass it."""
    from ctms.configuration.study_constraints import hold_studies

    hold_studies(connections[using], apps=apps)


def _deliver(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Add the object types, page layouts and security profiles that the Vault lacks.

    `apps` has a default, because `flush` does not pass it.
    """
    from ctms.accounts.models import SecurityProfile, User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.configuration.models import DeliveredField, LayoutSection, ObjectType, PageLayout
    from ctms.configuration.profiles import deliver_profiles
    from ctms.configuration.services import deliver_layout_fields, deliver_object_types, deliver_page_layouts
    from ctms.core.schema import is_schema_current

    needed = (User, SecurityProfile, AuditEntry, ObjectType, PageLayout, LayoutSection, DeliveredField)
    if is_schema_current(apps=apps, models=needed):
        actor = build_system_actor(source="command", reference="migrate")
        deliver_object_types(actor=actor)
        deliver_layout_fields(actor=actor, new_objects=deliver_page_layouts(actor=actor))
        deliver_profiles(actor=actor)
