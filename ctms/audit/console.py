"""The admin console as an app: Django's, with pages that are built when all apps have registered their additions."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Stands in INSTALLED_APPS instead of `django.contrib.admin`."""

    default = False

    def ready(self) -> None:
        """Import the console modules of all apps, then build the pages that they register."""
        super().ready()
        from ctms.audit.admin.pages import build_pages  # noqa: PLC0415  models exist only once ready() is called

        build_pages(admin.site)
