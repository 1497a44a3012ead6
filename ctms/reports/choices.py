from django.db.models import TextChoices


class ShareRole(TextChoices):
    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    OWNER = "owner", "Owner"


class FlashFrequency(TextChoices):
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    MONTHLY = "monthly", "Monthly"


class FlashPreference(TextChoices):
    """The *Email and Vault notification preferences* of a flash report."""

    WITH_RECORDS = "with_records", "Only send when at least one record is returned"
    ALWAYS = "always", "Always send"


class DeliveryState(TextChoices):
    """How the delivery that was planned for a moment went."""

    SENDING = "sending", "Being sent"
    DELIVERED = "delivered", "Delivered"
    NOTHING = "nothing", "Nothing to send"
    FAILED = "failed", "Failed"


class MailState(TextChoices):
    """How the e-mail to one recipient went. *Perhaps sent*: its worker died before it noted how it went."""

    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    NOTHING = "nothing", "Nothing to send"
    FAILED = "failed", "Failed"
    UNCLEAR = "unclear", "Perhaps sent"


class Period(TextChoices):
    """What days are gathered to in a group."""

    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"
    QUARTER = "quarter", "Quarter"
    YEAR = "year", "Year"


class ChartKind(TextChoices):
    """How the figures of a report are drawn. Values are those of `ctms.core.charts`."""

    BAR = "bar", "Bars"
    STACKED = "stacked", "Stacked bars"
    LINE = "line", "Lines"
    DONUT = "donut", "Donut"
