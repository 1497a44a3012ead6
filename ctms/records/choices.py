from django.db.models import TextChoices


class OperationKind(TextChoices):
    EDIT = "edit", "Bulk edit"
    IMPORT = "import", "Import"
    UNDO = "undo", "Undo"


class OperationState(TextChoices):
    CHECKING = "checking", "Being checked"
    DRAFT = "draft", "To be confirmed"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
