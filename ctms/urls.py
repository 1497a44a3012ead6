"""All URLs of the site. A new object needs none: the URLs of `ctms.records` take the object's name."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from ctms.accounts.views import VaultLoginView, enter_admin
from ctms.audit.views import ChangePasswordView, accept_invitation
from ctms.core.views import show_health

admin.site.index_title = "Admin"

urlpatterns = [
    path("", include("ctms.records.urls")),
    path("api/v1/", include("ctms.records.api.urls")),
    path("login/", VaultLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", ChangePasswordView.as_view(), name="change_password"),
    path("invitation/", accept_invitation, name="invitation"),
    path("healthz", show_health, name="health"),
    # The admin console uses the Vault's own log-in, log-out and password pages.
    path("admin/login/", enter_admin),
    path("admin/logout/", LogoutView.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="change_password")),
    path("admin/setup/", include("ctms.configuration.urls")),
    path("admin/", admin.site.urls),
]
