from django.db.models import TextChoices


class GrantFlow(TextChoices):
    PASSWORD = "password", "Username and password"
    CLIENT_CREDENTIALS = "client_credentials", "Client credentials"


class IntegrationKind(TextChoices):
    """The integrations that every connection has, in the order in which they are listed."""

    CALL_INBOUND = "crm_call_inbound__v", "CRM Call Inbound Integration"
    CALL_OUTBOUND = "crm_call_outbound__v", "CRM Call Outbound Integration"
    STUDY_OUTBOUND = "clinical_study_outbound__v", "Clinical Study Outbound Integration"
    SITE_OUTBOUND = "clinical_site_outbound__v", "Clinical Site Outbound Integration"


class FieldRuleKind(TextChoices):
    COPY = "copy", "Copy"
    CONSTANT = "constant", "Constant"
    PICKLIST = "picklist", "Picklist map"
    PERSON_ACCOUNT = "person_account", "Person ↔ Account"
    REFERENCE = "reference", "Reference by external id"
    FORMATTED_PERSON = "formatted_person", "Formatted person"
    RECORD_LINK = "record_link", "Link to the record"


class DeletionMode(TextChoices):
    """How a deletion is shown on the other side: outbound in a CRM field, inbound on the Vault record."""

    APPEND = "append", "Append text to a field"
    SET = "set", "Set a field"
    INACTIVATE = "inactivate", "Make the Vault record Inactive"
