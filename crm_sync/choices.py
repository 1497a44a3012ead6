from django.db.models import TextChoices


class LinkState(TextChoices):
    LIVE = "live", "Live on both sides"
    DELETED_IN_VAULT = "deleted_in_vault", "Deleted in the Vault"
    DELETED_IN_CRM = "deleted_in_crm", "Deleted in the CRM"


class AttemptOutcome(TextChoices):
    """What became of an attempt to transfer a record, on the side that was to be written."""

    CREATED = "created", "Created"
    UPDATED = "updated", "Updated"
    DELETED = "deleted", "Shown as deleted"
    REFUSED = "refused", "Refused"


class IntegrationRunState(TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    WITH_EXCEPTIONS = "with_exceptions", "Finished with exceptions"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped at a limit"
    INTERRUPTED = "interrupted", "Interrupted"


class RecordWord(TextChoices):
    """What a reconciliation says of a record in one organisation."""

    EQUAL = "equal", "Equal"
    PENDING = "pending", "Pending"
    FAILED = "failed", "Failed"
    FILTERED_OUT = "filtered_out", "Filtered out"
    UNMATCHED = "unmatched", "Unmatched"
    INACTIVE_HERE = "inactive_here", "Inactive here"
    MISSING_THERE = "missing_there", "Missing there"
    MISSING_HERE = "missing_here", "Missing here"
    DIFFERS = "differs", "Differs"
    ORPHANED = "orphaned", "Orphaned"
    DELETED_ON_ONE_SIDE = "deleted_on_one_side", "Deleted on one side"


class PreviewOutcome(TextChoices):
    """What the next transfer would do with a record, or why it would do nothing."""

    CREATE = "create", "Create"
    UPDATE = "update", "Update"
    DELETE = "delete", "Show deletion"
    RECEIVE = "receive", "Receive new"
    CHANGE = "change", "Receive change"
    DEACTIVATE = "deactivate", "Make Inactive"
    FAIL = "fail", "Fail"
    WAIT = "wait", "Wait"


class ConnectionStateKey(TextChoices):
    """What is said of a connection as a whole; see `crm_sync.diagnostics.states` for when which of them holds."""

    OK = "ok", "OK"
    WITH_EXCEPTIONS = "with_exceptions", "With exceptions"
    FAILING = "failing", "Failing"
    SILENT = "silent", "Silent"
    PAUSED = "paused", "Paused"
    UNFINISHED = "unfinished", "Unfinished"
    INACTIVE = "inactive", "Inactive"


class AlertMailState(TextChoices):
    """What became of the e-mail of an alert to one address."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    UNCLEAR = "unclear", "May have been sent"
    FAILED = "failed", "Failed"
