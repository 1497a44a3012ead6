"""URLs of flash reports, below those of reports."""

from __future__ import annotations

from django.urls import path

from ctms.reports.flash.views import notifications, schedule, subscriptions

_SCHEDULE = "<uuid:uid>/schedule/"

urlpatterns = [
    path(_SCHEDULE, schedule.show_schedule, name="report_schedule"),
    path(f"{_SCHEDULE}remove/", schedule.remove, name="report_schedule_remove"),
    path(f"{_SCHEDULE}send/", schedule.send_now, name="report_send_now"),
    path(f"{_SCHEDULE}take-over/", schedule.take_over_report, name="report_take_over"),
    path("deliveries/<uuid:uid>/retry/", schedule.retry, name="report_retry"),
    path(f"{_SCHEDULE}subscription/", subscriptions.change_subscription, name="report_subscription"),
    path("notifications/<uuid:uid>/", notifications.open_notification, name="report_notification"),
    path("unsubscribe/<str:token>/", subscriptions.unsubscribe_by_link, name="flash_unsubscribe"),
]
