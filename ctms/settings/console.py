"""The admin console: its sidebar and the theme."""

from __future__ import annotations

from collections.abc import Callable

from ctms.settings.names import VAULT_NAME


def _build_static_url(name: str) -> Callable[[object], str]:
    """Return a function that returns a static file's address: settings are read before the storage exists."""

    def build(_request: object) -> str:
        from django.templatetags.static import static  # noqa: PLC0415  needs the settings that are just being read

        return static(name)

    return build


# The sidebar, in the product's own order: group → (label, icon, model). Only what the user may view is shown.
ADMIN_SIDEBAR: list[tuple[str, list[tuple[str, str, str]]]] = [
    (
        "Connections",
        [
            ("Connections", "hub", "connections.Connection"),
            ("Connection Authorizations", "key", "connections.ConnectionAuthorization"),
            ("Integrations", "sync_alt", "connections.Integration"),
            ("Integration Rules", "rule", "connections.IntegrationRule"),
            ("Field Rules", "table_rows", "connections.FieldRule"),
        ],
    ),
    (
        "Configuration",
        [
            ("Objects", "deployed_code", "configuration.ConfiguredObject"),
            ("Object Types", "category", "configuration.ObjectType"),
            ("Custom Fields", "add_box", "configuration.CustomField"),
            ("Page Layouts", "dashboard", "configuration.PageLayout"),
            ("Reasons for Change", "edit_note", "configuration.ReasonRule"),
            ("Report Types", "schema", "reports.ReportType"),
            ("Reports", "monitoring", "reports.Report"),
        ],
    ),
    (
        "Operations",
        [
            ("Job Definitions", "schedule", "jobs.JobDefinition"),
            ("Job Status", "pending_actions", "jobs.JobRun"),
            ("Integration Runs", "sync", "crm_sync.IntegrationRun"),
            ("Reconciliations", "fact_check", "crm_sync.Reconciliation"),
            ("Transfer Links", "link", "crm_sync.TransferLink"),
            ("Transfer Attempts", "history", "crm_sync.TransferAttempt"),
            ("Account Matches", "how_to_reg", "crm_sync.AccountMatch"),
        ],
    ),
    (
        "Logs",
        [
            ("User Exceptions", "error", "exceptions_log.ExceptionMessage"),
            ("User Exception Items", "list_alt", "exceptions_log.ExceptionItem"),
            ("Audit Trail", "history", "audit.AuditEntry"),
            ("Redactions", "ink_eraser", "audit.AuditRedaction"),
            ("Page Views", "visibility", "accounts.PageView"),
            ("Daily Digests", "mail", "reports.DigestMail"),
        ],
    ),
    (
        "Settings",
        [
            ("Application Settings", "settings", "configuration.ApplicationSettings"),
            ("This Vault", "home_work", "machine.Installation"),
            ("Restore Drills", "settings_backup_restore", "machine.RestoreDrill"),
            ("Users", "group", "accounts.User"),
            ("API Tokens", "vpn_key", "accounts.ApiToken"),
            ("Subscriptions", "webhook", "subscriptions.RecordSubscription"),
            ("Calendar Feeds", "event", "accounts.CalendarFeed"),
            ("Failed Log-ins", "lock_person", "accounts.FailedLogIn"),
            ("Second Factors", "phonelink_lock", "accounts.SecondFactor"),
            ("Security Profiles", "shield_person", "accounts.SecurityProfile"),
            ("Studies", "science", "clinical.Study"),
            ("Study Assignments", "assignment_ind", "clinical.StudyAssignment"),
        ],
    ),
]
# In the order of the cascade; the theme's own styles follow.
CONSOLE_STYLES = [
    "tokens.css",
    "conditions.css",
    "charts.css",
    "standing.css",
    "console/frame.css",
    "console/tables.css",
    "console/permissions.css",
    "console/pages.css",
    "console/controls.css",
    "console/layout_editor.css",
    "console/layout_preview.css",
    "console/landing.css",
    "console/transfers.css",
    "console/theme.css",
]
UNFOLD = {
    "SITE_TITLE": VAULT_NAME,
    "SITE_HEADER": VAULT_NAME,
    "SITE_ICON": _build_static_url("vault.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _build_static_url("vault.svg")}],
    "STYLES": [_build_static_url(name) for name in CONSOLE_STYLES],
    "SCRIPTS": [_build_static_url("console.js")],
    "DASHBOARD_CALLBACK": "ctms.configuration.admin.setup.build_landing_page",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "ctms.core.sidebar.build_sidebar"},
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "240 253 250",
            "100": "204 251 241",
            "200": "153 246 228",
            "300": "94 234 212",
            "400": "45 212 191",
            "500": "20 184 166",
            "600": "15 118 110",
            "700": "17 94 89",
            "800": "19 78 74",
            "900": "19 66 63",
            "950": "4 47 46",
        }
    },
}
