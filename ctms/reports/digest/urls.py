"""URLs of the daily digest."""

from __future__ import annotations

from django.urls import path

from ctms.reports.digest import views

urlpatterns = [
    path("", views.show_digest, name="digest"),
    path("stop/<str:token>/", views.stop_by_link, name="digest_stop"),
]
