"""For how many days Housekeeping keeps what has ended, by kind; 0 is for ever."""

from __future__ import annotations

from ctms.settings.environment import env

_MOST = 36_500
# Setting → the days by default, and the fewest that are allowed, beside 0.
RETENTION_SETTINGS = {
    "EXCEPTION_RETENTION_DAYS": (180, 1),
    "TRANSFER_HISTORY_DAYS": (0, 1),
    # A month and more, so that whoever asks how last month went finds its runs, mails and comparisons.
    "JOB_RUN_RETENTION_DAYS": (400, 35),
    "RECONCILIATION_RETENTION_DAYS": (400, 35),
    "REPORT_MAIL_RETENTION_DAYS": (400, 35),
    # Notifications are shown for a week.
    "OPERATION_RETENTION_DAYS": (400, 7),
    "ALERT_RETENTION_DAYS": (400, 7),
    "NOTIFICATION_RETENTION_DAYS": (30, 7),
    # What was not accepted is tried for a day, and may be tried again by hand.
    "WEBHOOK_RETENTION_DAYS": (90, 7),
    "CALLBACK_SESSION_RETENTION_DAYS": (90, 1),
    "CRM_CHANGE_RETENTION_DAYS": (400, 1),
    "DRAFT_RETENTION_DAYS": (7, 1),
}


def parse_days(text: str, *, fewest: int) -> int:
    """Return a number of days. Raises ValueError with a sentence that says which are allowed."""
    days = int(text) if text.isascii() and text.isdecimal() else -1
    if days != 0 and not fewest <= days <= _MOST:
        raise ValueError(f"Write 0, so that everything is kept for ever, or a number of days from {fewest} to {_MOST}.")
    return days


def _read_days(name: str) -> int:
    default, fewest = RETENTION_SETTINGS[name]
    return env.read(name, lambda text: parse_days(text, fewest=fewest), default=default)


EXCEPTION_RETENTION_DAYS = _read_days("EXCEPTION_RETENTION_DAYS")
TRANSFER_HISTORY_DAYS = _read_days("TRANSFER_HISTORY_DAYS")
JOB_RUN_RETENTION_DAYS = _read_days("JOB_RUN_RETENTION_DAYS")
RECONCILIATION_RETENTION_DAYS = _read_days("RECONCILIATION_RETENTION_DAYS")
REPORT_MAIL_RETENTION_DAYS = _read_days("REPORT_MAIL_RETENTION_DAYS")
OPERATION_RETENTION_DAYS = _read_days("OPERATION_RETENTION_DAYS")
ALERT_RETENTION_DAYS = _read_days("ALERT_RETENTION_DAYS")
NOTIFICATION_RETENTION_DAYS = _read_days("NOTIFICATION_RETENTION_DAYS")
WEBHOOK_RETENTION_DAYS = _read_days("WEBHOOK_RETENTION_DAYS")
CALLBACK_SESSION_RETENTION_DAYS = _read_days("CALLBACK_SESSION_RETENTION_DAYS")
CRM_CHANGE_RETENTION_DAYS = _read_days("CRM_CHANGE_RETENTION_DAYS")
DRAFT_RETENTION_DAYS = _read_days("DRAFT_RETENTION_DAYS")
