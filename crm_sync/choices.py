from django.db.models import TextChoices


class LinkState(TextChoices):
    LIVE = "live", "Live on both sides"
    DELETED_IN_VAULT = "deleted_in_vault", "Deleted in the Vault"
    DELETED_IN_CRM = "deleted_in_crm", "Deleted in the CRM"


class IntegrationRunState(TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    WITH_EXCEPTIONS = "with_exceptions", "Finished with exceptions"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped at a limit"
    INTERRUPTED = "interrupted", "Interrupted"


class HealthState(TextChoices):
    """Failing: the last run, or an integration in it, came to no good end. Single records that fail do not tell."""

    OK = "ok", "OK"
    FAILING = "failing", "Failing"
    NEVER_RAN = "never_ran", "Never ran"
    INACTIVE = "inactive", "Inactive"
