"""The objects of an organisation and their fields. A new object or field needs an entry here and nothing else.

Object and field names follow the vendor's packaged objects; lengths and required fields are those that the describe
call of an organisation shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

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

TEXT_TYPES = frozenset({"string", "textarea", "email", "url", "phone", "picklist"})


@dataclass(frozen=True)
class Field:
    """One field. `relationship` is its name in field paths, such as `Account_vod__r`.

    `length` is in UTF-16 code units, of which an emoji has two.
    """

    name: str
    label: str
    type: str
    length: int = 0
    required: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    picklist: tuple[tuple[str, str], ...] = ()
    reference_to: str = ""
    relationship: str = ""
    child_relationship: str = ""
    read_only: bool = False
    default: object = None
    auto_number: str = ""
    name_field: bool = False

    @property
    def custom(self) -> bool:
        """Whether the field was added by a package or an administrator."""
        return self.name.endswith("__c")

    @property
    def is_text(self) -> bool:
        """Whether SOQL compares the values as strings. It does not so compare ids and references."""
        return self.type in TEXT_TYPES

    @property
    def allowed_values(self) -> frozenset[str]:
        """The values of a restricted picklist."""
        return frozenset(value for value, _ in self.picklist)


@dataclass(frozen=True)
class SObject:
    """One object with all its fields, system fields included, in the order in which they are described."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: tuple[Field, ...]
    createable: bool = True
    deletable: bool = True

    @cached_property
    def by_lower_name(self) -> dict[str, Field]:
        """Fields by name in lower case, since the API ignores the case of names."""
        return {entry.name.lower(): entry for entry in self.fields}

    @cached_property
    def by_relationship(self) -> dict[str, Field]:
        """Reference fields by relationship name in lower case."""
        return {entry.relationship.lower(): entry for entry in self.fields if entry.relationship}

    @property
    def custom(self) -> bool:
        """Whether this is a custom object."""
        return self.name.endswith("__c")

    @cached_property
    def name_field(self) -> Field:
        """The field that names a record."""
        return next(entry for entry in self.fields if entry.name_field)

    @cached_property
    def unique_fields(self) -> tuple[Field, ...]:
        """Fields whose values may occur only once among records that are not deleted."""
        return tuple(entry for entry in self.fields if entry.unique)

    @cached_property
    def required_fields(self) -> tuple[Field, ...]:
        """Fields that may not be empty and have no default."""
        return tuple(entry for entry in self.fields if entry.required and entry.default is None)

    def find_field(self, name: str) -> Field | None:
        """Return the field with this name in any case, or None."""
        return self.by_lower_name.get(name.lower())


def text(name: str, label: str, length: int, *, required: bool = False, name_field: bool = False) -> Field:
    """Return a plain text field."""
    return Field(name, label, "string", length, required=required, name_field=name_field)


def picklist(name: str, label: str, values: tuple[tuple[str, str], ...], *, default: str | None = None) -> Field:
    """Return a restricted picklist."""
    return Field(name, label, "picklist", 255, picklist=values, default=default)


def reference(name: str, label: str, target: str, *, children: str = "", required: bool = False) -> Field:
    """Return a lookup to another object."""
    return Field(
        name,
        label,
        "reference",
        18,
        reference_to=target,
        relationship=name.removesuffix("__c") + "__r",
        child_relationship=children,
        required=required,
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


def user_reference(name: str, label: str, *, read_only: bool) -> Field:
    """Return a system field that refers to a user."""
    return Field(
        name,
        label,
        "reference",
        18,
        reference_to="User",
        relationship=name.removesuffix("Id"),
        read_only=read_only,
    )


def define_object(
    name: str,
    label: str,
    label_plural: str,
    *,
    key_prefix: str,
    fields: Iterable[Field],
    system: bool = False,
) -> SObject:
    """Return an object with its own `fields` and the system fields that every object has."""
    owner = () if system else (user_reference("OwnerId", "Owner ID", read_only=False),)
    deleted = () if system else (Field("IsDeleted", "Deleted", "boolean", read_only=True, default=False),)
    return SObject(
        name,
        label,
        label_plural,
        key_prefix,
        (
            Field("Id", "Record ID", "id", 18, read_only=True),
            *owner,
            *deleted,
            *fields,
            Field("CreatedDate", "Created Date", "datetime", read_only=True),
            user_reference("CreatedById", "Created By ID", read_only=True),
            Field("LastModifiedDate", "Last Modified Date", "datetime", read_only=True),
            user_reference("LastModifiedById", "Last Modified By ID", read_only=True),
            Field("SystemModstamp", "System Modstamp", "datetime", read_only=True),
        ),
        createable=not system,
        deletable=not system,
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

OBJECTS: tuple[SObject, ...] = (ACCOUNT, CALL, INTERACTION, STUDY, SITE, USER)
OBJECTS_BY_LOWER_NAME = {entry.name.lower(): entry for entry in OBJECTS}
OBJECTS_BY_KEY_PREFIX = {entry.key_prefix: entry for entry in OBJECTS}


def find_object(name: str) -> SObject | None:
    """Return the object with this name in any case, or None."""
    return OBJECTS_BY_LOWER_NAME.get(name.lower())


def list_references_to(target: SObject) -> list[tuple[SObject, Field]]:
    """Return every custom reference field that refers to `target`, with its object."""
    return [
        (entry, lookup)
        for entry in OBJECTS
        for lookup in entry.fields
        if lookup.reference_to == target.name and lookup.custom
    ]
