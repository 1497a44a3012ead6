from django.db.models import TextChoices


class OperationKind(TextChoices):
    EDIT = "edit", "Bulk edit"
    IMPORT = "import", "Import"
    UNDO = "undo", "Undo"


class ProblemKind(TextChoices):
    """What a problem of a row means: the row is not written, or it is, or its user has to answer first."""

    ERROR = "error", "Error"
    WARNING = "warning", "Warning"
    LOST_ZEROS = "lost_zeros", "Leading zeros"


class OperationState(TextChoices):
    CHECKING = "checking", "Being checked"
    DRAFT = "draft", "To be confirmed"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
