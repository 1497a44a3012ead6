from django.db.models import TextChoices


class SectionKind(TextChoices):
    FIELDS = "fields", "Fields"
    RELATED = "related", "Related object"


class StepStatus(TextChoices):
    DONE = "done", "Done"
    TO_DO = "to_do", "To do"
    BROKEN = "broken", "Broken"
