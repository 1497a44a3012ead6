from django.db.models import TextChoices


class OperationKind(TextChoices):
    EDIT = "edit", "Bulk edit"
    IMPORT = "import", "Import"
    UNDO = "undo", "Undo"
    HAND_OVER = "hand_over", "Hand-over"


class ProblemKind(TextChoices):
    """What a problem of a row means: the row is not written, or it is, or its user has to answer first.

    A new row of an import may be `ALIKE` a record that is there already, and its user may choose that it is `USED`.
    """

    ERROR = "error", "Error"
    WARNING = "warning", "Warning"
    LOST_ZEROS = "lost_zeros", "Leading zeros"
    ALIKE = "alike", "Like another record"
    USED = "used", "Uses another record"


# Those of rows that are written.
WARNINGS = (ProblemKind.WARNING, ProblemKind.ALIKE, ProblemKind.USED)


class OperationState(TextChoices):
    CHECKING = "checking", "Being checked"
    DRAFT = "draft", "To be confirmed"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
