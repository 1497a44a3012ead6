from django.db.models import TextChoices


class ErrorType(TextChoices):
    CONFIGURATION = "configuration__v", "Configuration"
    AUTHENTICATION = "authentication__v", "Authentication"
    MAPPING = "mapping__v", "Mapping"
    MATCHING = "matching__v", "Matching"
    REJECTED = "rejected__v", "Rejected by CRM"
    CONNECTIVITY = "connectivity__v", "Connectivity"
    LIMIT = "limit__v", "Limit"
