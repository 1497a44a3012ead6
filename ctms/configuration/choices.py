from django.db.models import TextChoices


class FieldKind(TextChoices):
    """What a field holds, which says how it is shown, typed, filtered and exported."""

    TEXT = "text", "Text"
    LONG_TEXT = "long_text", "Long text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    DATETIME = "datetime", "Date and time"
    YES_NO = "yes_no", "Yes/No"
    PICKLIST = "picklist", "Picklist"
    REFERENCE = "reference", "Reference"


class CustomFieldKind(TextChoices):
    """What admins may add; a custom field refers to people alone."""

    TEXT = "text", "Text"
    LONG_TEXT = "long_text", "Long text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    DATETIME = "datetime", "Date and time"
    YES_NO = "yes_no", "Yes/No"
    PICKLIST = "picklist", "Picklist"
    PERSON = "person", "Reference to a Person"


class SectionKind(TextChoices):
    FIELDS = "fields", "Fields"
    RELATED = "related", "Related object"


class StepStatus(TextChoices):
    DONE = "done", "Done"
    TO_DO = "to_do", "To do"
    BROKEN = "broken", "Broken"
