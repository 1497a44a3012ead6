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
