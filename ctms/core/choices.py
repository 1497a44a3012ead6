from django.db.models import TextChoices


class RecordStatus(TextChoices):
    """Values of the field `status__v`, which every record has."""

    ACTIVE = "active__v", "Active"
    INACTIVE = "inactive__v", "Inactive"
