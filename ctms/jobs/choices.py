from django.db.models import IntegerChoices, TextChoices


class Frequency(TextChoices):
    HOURLY = "hourly", "Hourly"
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    CRON = "cron", "Cron"


class Weekday(IntegerChoices):
    MONDAY = 0, "Monday"
    TUESDAY = 1, "Tuesday"
    WEDNESDAY = 2, "Wednesday"
    THURSDAY = 3, "Thursday"
    FRIDAY = 4, "Friday"
    SATURDAY = 5, "Saturday"
    SUNDAY = 6, "Sunday"


class RunState(TextChoices):
    QUEUED = "queued", "Scheduled"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    WITH_EXCEPTIONS = "with_exceptions", "Finished with exceptions"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"
    SKIPPED = "skipped", "Skipped"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED_STATES = (RunState.QUEUED, RunState.RUNNING)


class JobQueue(TextChoices):
    """The queues of messages to workers, apart so that nothing waits behind work of another kind.

    Ticks have one of their own as well, `ticks`; see the settings of Celery.
    """

    VAULT = "celery", "Work within the Vault: bulk edits, imports, generated activities, reports"
    TRANSFERS = "transfers", "Transfers, which wait for CRMs"
    LIVE = "live", "Small transfers right after a change, which wait behind no large one"


# The job did its work, though some records may have failed.
SUCCESS_STATES = (RunState.SUCCEEDED, RunState.WITH_EXCEPTIONS)


class RunTrigger(TextChoices):
    SCHEDULE = "schedule", "Schedule"
    START_NOW = "start_now", "Start Now"
    COMMAND = "command", "Command line"
    CHANGE = "change", "A change of records"
    TAKEOVER = "takeover", "Takeover of an interrupted run"
