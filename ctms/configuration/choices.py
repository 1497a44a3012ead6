from django.db.models import TextChoices


class CustomFieldKind(TextChoices):
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
