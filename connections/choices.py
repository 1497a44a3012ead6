from django.db.models import TextChoices


class GrantFlow(TextChoices):
    """How the Vault logs in to an organisation; the recommended way comes first."""

    JWT_BEARER = "jwt_bearer", "JWT bearer (certificate)"
    CLIENT_CREDENTIALS = "client_credentials", "Client credentials"
    PASSWORD = "password", "Username and password"


class Audience(TextChoices):
    """Where a log-in by JWT bearer is asked for: the host that gets the token request and that the JWT names."""

    MY_DOMAIN = "my_domain", "My Domain (the Connection URL)"
    LOGIN = "login", "login.salesforce.com (production)"
    TEST = "test", "test.salesforce.com (sandboxes)"


class IntegrationKind(TextChoices):
    """The integrations that every connection has, in the order in which they are listed."""

    CALL_INBOUND = "crm_call_inbound__v", "CRM Call Inbound Integration"
    CALL_OUTBOUND = "crm_call_outbound__v", "CRM Call Outbound Integration"
    STUDY_OUTBOUND = "clinical_study_outbound__v", "Clinical Study Outbound Integration"
    SITE_OUTBOUND = "clinical_site_outbound__v", "Clinical Site Outbound Integration"


class Pace(TextChoices):
    """When the transfer of a connection works."""

    HOURLY = "hourly", "Hourly, by the schedule of the job"
    AS_IT_HAPPENS = "as_it_happens", "As it happens, within seconds"


class FieldRuleKind(TextChoices):
    COPY = "copy", "Copy"
    CONSTANT = "constant", "Constant"
    PICKLIST = "picklist", "Picklist map"
    PERSON_ACCOUNT = "person_account", "Person ↔ Account"
    REFERENCE = "reference", "Reference by external id"
    FORMATTED_PERSON = "formatted_person", "Formatted person"
    RECORD_LINK = "record_link", "Link to the record"
    CALLBACK_SESSION = "callback_session", "Call-back session"

    @classmethod
    def list_without_source(cls) -> list[str]:
        """Return the kinds that read no field of the sending side."""
        return [cls.CONSTANT.value, cls.RECORD_LINK.value, cls.CALLBACK_SESSION.value]


class DeletionMode(TextChoices):
    """How a deletion is shown on the other side: outbound in a CRM field, inbound on the Vault record."""

    APPEND = "append", "Append text to a field"
    SET = "set", "Set a field"
    INACTIVATE = "inactivate", "Make the Vault record Inactive"


class DescriptionOrigin(TextChoices):
    """What asked a CRM for the description of its objects."""

    ASKED = "asked", "Refreshed by hand"
    TEST = "test", "Test Connection"
    TRANSFER = "transfer", "Transfer"
    DAILY = "daily", "Reconcile CRM (daily)"


class DescribedAspect(TextChoices):
    """What of a description has changed."""

    PRESENCE = "presence", "Presence"
    TYPE = "type", "Type"
    LENGTH = "length", "Length"
    NEEDED = "needed", "Required"
    UNIQUE = "unique", "Unique"
    ACCESS = "access", "Access of the CRM user"
    VALUES = "values", "Picklist values"
    REFERENCE = "reference", "Refers to"
