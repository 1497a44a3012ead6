from django.db.models import TextChoices


class RecordStatus(TextChoices):
    """`status__v` of every record."""

    ACTIVE = "active__v", "Active"
    INACTIVE = "inactive__v", "Inactive"
