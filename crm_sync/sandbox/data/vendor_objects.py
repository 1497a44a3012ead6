"""The objects of the vendor's package, and what it adds to those of the CRM.

Names follow the package; lengths and required fields are those that the describe call of an organisation shows.
"""

from crm_sync.sandbox.data.fields import Field, define_object, picklist, reference, text

CALL_CHANNELS = (
    ("Face_to_face_vod", "Face to face"),
    ("Video_vod", "Video"),
    ("Phone_vod", "Phone"),
    ("Message_vod", "Chat or text message"),
    ("Email_vod", "Email"),
    ("Other_vod", "Other"),
)
CALL_STATUSES = (("Planned_vod", "Planned"), ("Saved_vod", "Saved"), ("Submitted_vod", "Submitted"))
INTERACTION_STATUSES = (("Planned_vod", "Planned"), ("Submitted_vod", "Submitted"))
CLINICAL_STATUSES = (
    ("Active", "Active"),
    ("Inactive", "Inactive"),
    ("Deleted in Vault Clinical", "Deleted in Vault Clinical"),
)


def vault_external_id() -> Field:
    """Return the external id field by which Vault Clinical finds its records in the CRM."""
    return Field(
        "Vault_External_ID_vod__c",
        "Vault External ID",
        "string",
        120,
        external_id=True,
        unique=True,
        case_sensitive=True,
    )


ACCOUNT = define_object(
    "Account",
    "Account",
    "Accounts",
    key_prefix="001",
    fields=(
        text("Name", "Account Name", 255, name_field=True),
        text("FirstName", "First Name", 40),
        text("LastName", "Last Name", 80),
        Field("IsPersonAccount", "Is Person Account", "boolean", read_only=True, default=False),
        Field("PersonEmail", "Email", "email", 80),
        Field(
            "External_ID_vod__c",
            "External ID",
            "string",
            120,
            external_id=True,
            unique=True,
            case_sensitive=True,
        ),
        Field("NPI_vod__c", "NPI", "string", 20, external_id=True),
        Field("Customer_Number__c", "Customer Number", "double", external_id=True, unique=True),
        Field(
            "MasterRecordId",
            "Master Record ID",
            "reference",
            18,
            reference_to="Account",
            relationship="MasterRecord",
            read_only=True,
        ),
    ),
)

CALL = define_object(
    "Call2_vod__c",
    "Call",
    "Calls",
    key_prefix="a00",
    fields=(
        Field("Name", "Name", "string", 80, read_only=True, auto_number="C{:08d}", name_field=True),
        reference("Account_vod__c", "Account", "Account", children="Call2_vod__r", required=True),
        Field("Call_Date_vod__c", "Date", "date"),
        Field("Call_Datetime_vod__c", "Datetime", "datetime"),
        picklist("Call_Channel_vod__c", "Channel", CALL_CHANNELS),
        picklist("Status_vod__c", "Status", CALL_STATUSES, default="Planned_vod"),
        Field("Send_to_Vault_Clinical_vod__c", "Send to Vault Clinical", "boolean", default=False),
    ),
)

INTERACTION = define_object(
    "Vault_Clinical_Interaction_vod__c",
    "Vault Clinical Interaction",
    "Vault Clinical Interactions",
    key_prefix="a01",
    fields=(
        Field("Name", "Name", "string", 80, read_only=True, auto_number="VCI-{:08d}", name_field=True),
        vault_external_id(),
        reference("Account_vod__c", "Account", "Account", children="Vault_Clinical_Interactions_vod__r", required=True),
        Field("Interaction_Date_vod__c", "Interaction Date", "date"),
        picklist("Channel_vod__c", "Channel", CALL_CHANNELS),
        picklist("Status_vod__c", "Status", INTERACTION_STATUSES),
        text("From_vod__c", "From", 255),
        text("Subject_vod__c", "Subject", 255),
        reference(
            "Clinical_Study_vod__c",
            "Clinical Study",
            "Clinical_Study_vod__c",
            children="Vault_Clinical_Interactions_vod__r",
        ),
        reference(
            "Clinical_Site_vod__c",
            "Clinical Site",
            "Clinical_Site_vod__c",
            children="Vault_Clinical_Interactions_vod__r",
        ),
    ),
)

STUDY = define_object(
    "Clinical_Study_vod__c",
    "Clinical Study",
    "Clinical Studies",
    key_prefix="a02",
    fields=(
        text("Name", "Study Number", 80, required=True, name_field=True),
        vault_external_id(),
        text("Study_Name_vod__c", "Study Name", 255),
        Field("Protocol_Title_vod__c", "Protocol Title", "textarea", 32768),
        text("Phase_vod__c", "Phase", 80),
        text("Lifecycle_State_vod__c", "Lifecycle State", 80),
        picklist("Status_vod__c", "Status", CLINICAL_STATUSES),
        Field("Link_vod__c", "Link", "url", 255),
    ),
)

SITE = define_object(
    "Clinical_Site_vod__c",
    "Clinical Site",
    "Clinical Sites",
    key_prefix="a03",
    fields=(
        text("Name", "Site Number", 80, required=True, name_field=True),
        vault_external_id(),
        text("Site_Name_vod__c", "Site Name", 255),
        reference("Clinical_Study_vod__c", "Clinical Study", "Clinical_Study_vod__c", children="Clinical_Sites_vod__r"),
        text("Principal_Investigator_vod__c", "Principal Investigator", 255),
        text("Lifecycle_State_vod__c", "Lifecycle State", 80),
        picklist("Status_vod__c", "Status", CLINICAL_STATUSES),
        Field("Link_vod__c", "Link", "url", 255),
    ),
)

USER = define_object(
    "User",
    "User",
    "Users",
    key_prefix="005",
    system=True,
    fields=(
        Field("Username", "Username", "string", 80, required=True, read_only=True),
        Field("FirstName", "First Name", "string", 40, read_only=True),
        Field("LastName", "Last Name", "string", 80, required=True, read_only=True),
        Field("Name", "Full Name", "string", 121, read_only=True, name_field=True),
        Field("Email", "Email", "email", 128, read_only=True),
        Field("IsActive", "Active", "boolean", read_only=True, default=True),
    ),
)

VENDOR_OBJECTS = (ACCOUNT, CALL, INTERACTION, STUDY, SITE, USER)
