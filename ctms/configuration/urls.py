"""URLs of the setup checklist's buttons, which belong to no model."""

from __future__ import annotations

from django.urls import path

from ctms.configuration.admin.setup import apply_setup_step_view, apply_setup_view

urlpatterns = [
    path("", apply_setup_view, name="setup_apply_all"),
    path("<str:key>/", apply_setup_step_view, name="setup_apply"),
]
