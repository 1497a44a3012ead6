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


class HealthState(TextChoices):
    """Health of a connection; Failing if its last run, or an integration in it, failed, but not for single records."""

    OK = "ok", "OK"
    FAILING = "failing", "Failing"
    NEVER_RAN = "never_ran", "Never ran"
    INACTIVE = "inactive", "Inactive"
