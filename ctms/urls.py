"""All URLs of the site. A new object needs none: the URLs of `ctms.records` take the object's name."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from ctms.accounts.views import VaultLoginView, enter_admin
from ctms.audit.oidc_views import begin_log_in, finish_log_in
from ctms.audit.second_factor_views import log_in_with_code, show_second_factor
from ctms.audit.views import ChangePasswordView, accept_invitation
from ctms.core.views import go_to_landing_page, show_health

admin.site.index_title = "Admin"
admin.site.app_index = go_to_landing_page  # type: ignore[assignment,method-assign]  # a redirect is no TemplateResponse
handler400 = "ctms.core.refusals.show_bad_request"
handler500 = "ctms.core.server_errors.show_server_error"

urlpatterns = [
    path("", include("ctms.records.urls")),
    path("reports/", include("ctms.reports.urls")),
    path("", include("ctms.reports.outputs.urls")),
    path("reports/", include("ctms.reports.flash.urls")),
    path("digest/", include("ctms.reports.digest.urls")),
    path("api/v1/reports/", include("ctms.reports.outputs.api.urls")),
    path("api/v1/", include("ctms.records.api.urls")),
    path("login/", VaultLoginView.as_view(), name="login"),
    path("login/code/", log_in_with_code, name="login_code"),
    path("login/oidc/", begin_log_in, name="oidc_begin"),
    path("login/oidc/callback/", finish_log_in, name="oidc_callback"),
    path("second-factor/", show_second_factor, name="second_factor"),
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
