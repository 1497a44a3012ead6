from django.db.models import TextChoices


class ShareRole(TextChoices):
    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    OWNER = "owner", "Owner"


class FlashFrequency(TextChoices):
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    MONTHLY = "monthly", "Monthly"


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
