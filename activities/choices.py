from django.db.models import TextChoices


class ActivityType(TextChoices):
    CLINICAL = "clinical_activity__v", "Clinical Activity"
    MEDICAL = "medical_activity__v", "Medical Activity"


class Channel(TextChoices):
    IN_PERSON = "in_person__v", "In person"
    VIDEO = "video__v", "Video"
    PHONE = "phone__v", "Phone"
    CHAT_TEXT = "chat_text__v", "Chat/Text"
    EMAIL = "email__v", "Email"
    OTHER = "other__v", "Other"


class Contacted(TextChoices):
    """Whose contact dates follow from an activity; those of a person are dates of the person's roles in a study."""

    SITE = "site", "Site"
    PERSON = "person", "Person in a study"
    STUDY_PERSON = "study_person", "Study person"
