from django.db.models import TextChoices


class FieldKind(TextChoices):
    """What a field holds; how it is shown, entered, filtered and exported depends on it."""

    TEXT = "text", "Text"
    LONG_TEXT = "long_text", "Long text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    DATETIME = "datetime", "Date and time"
    YES_NO = "yes_no", "Yes/No"
    PICKLIST = "picklist", "Picklist"
    REFERENCE = "reference", "Reference"


class CustomFieldKind(TextChoices):
    """The kinds of custom fields. The only object that one can refer to is Person."""

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
