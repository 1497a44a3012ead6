"""The standard objects that clients of the CRM expect, with the fields that they use most.

Source: the Object Reference for the Salesforce Platform. Addresses are compounds of their parts.
"""

from dataclasses import replace

from crm_sync.sandbox.data.compounds import COORDINATE_SCALE, define_compound
from crm_sync.sandbox.data.fields import Field, SObject, define_object, text

ADDRESS = (("Street", 255), ("City", 40), ("State", 80), ("PostalCode", 20), ("Country", 80))
ACCURACIES = (
    "Address",
    "NearAddress",
    "Block",
    "Street",
    "ExtendedZip",
    "Zip",
    "Neighborhood",
    "City",
    "County",
    "State",
    "Unknown",
)
INDUSTRIES = ("Biotechnology", "Consulting", "Education", "Healthcare", "Technology", "Other")
LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Closed Won", "Closed Lost")
PEOPLE = ("Contact", "Lead")
# Objects whose records may belong to a queue, which is a group, instead of a user.
OWNED_BY_GROUPS = frozenset({"Lead", "Case", "Task", "Event"})
THINGS = ("Account", "Opportunity", "Case", "Campaign", "Product2")


def choice(name: str, label: str, values: tuple[str, ...], *, default: str | None = None) -> Field:
    """Return a picklist whose values are suggestions, as those of standard fields are."""
    pairs = tuple((value, value) for value in values)
    return Field(name, label, "picklist", 255, picklist=pairs, default=default, restricted=False)


def number(name: str, label: str, kind: str = "double", *, scale: int = 0) -> Field:
    """Return a number of one of the kinds double, int, currency and percent."""
    return Field(name, label, kind, scale=scale)


def flag(name: str, label: str, *, read_only: bool = False) -> Field:
    """Return a checkbox that is not ticked at first."""
    return Field(name, label, "boolean", default=False, read_only=read_only)


def lookup(name: str, target: str, *, children: str = "", required: bool = False, also: tuple[str, ...] = ()) -> Field:
    """Return a standard reference such as `AccountId`, whose relationship is `Account`."""
    relationship = name.removesuffix("Id")
    return Field(
        name,
        f"{relationship} ID",
        "reference",
        18,
        reference_to=target,
        relationship=relationship,
        child_relationship=children,
        required=required,
        also_refers_to=also,
    )


def address(prefix: str) -> tuple[Field, ...]:
    """Return the parts of an address, and the address."""
    parts = [
        Field(f"{prefix}{part}", f"{prefix} {part}".strip(), "textarea" if part == "Street" else "string", length)
        for part, length in ADDRESS
    ]
    parts += [
        number(f"{prefix}{part}", f"{prefix} {part}".strip(), scale=COORDINATE_SCALE)
        for part in ("Latitude", "Longitude")
    ]
    parts.append(choice(f"{prefix}GeocodeAccuracy", f"{prefix} Geocode Accuracy".strip(), ACCURACIES))
    names = [part.name for part in parts]
    return (*parts, define_compound(f"{prefix}Address", f"{prefix} Address".strip(), "address", parts=names))


def person_name() -> tuple[Field, ...]:
    """Return the name of a person, which is put together from its parts."""
    return (
        text("LastName", "Last Name", 80, required=True),
        text("FirstName", "First Name", 40),
        text("Salutation", "Salutation", 40),
        Field("Name", "Full Name", "string", 121, read_only=True, name_field=True),
    )


def define(name: str, plural: str, key_prefix: str, *fields: Field, system: bool = False) -> SObject:
    """Return a standard object, which is labelled as it is named."""
    label = name.removesuffix("2")
    stored = [each for each in fields if not each.components]
    defined = define_object(name, label, plural, key_prefix=key_prefix, fields=stored, system=system)
    defined = replace(defined, compounds=tuple(each for each in fields if each.components))
    if name not in OWNED_BY_GROUPS:
        return defined
    shared = tuple(
        replace(each, also_refers_to=("Group",)) if each.name == "OwnerId" else each for each in defined.fields
    )
    return replace(defined, fields=shared)


ACCOUNT = define(
    "Account",
    "Accounts",
    "001",
    text("Name", "Account Name", 255, name_field=True),
    choice("Type", "Account Type", ("Prospect", "Customer", "Partner", "Other")),
    lookup("ParentId", "Account", children="ChildAccounts"),
    *address("Billing"),
    *address("Shipping"),
    Field("Phone", "Phone", "phone", 40),
    Field("Fax", "Fax", "phone", 40),
    text("AccountNumber", "Account Number", 40),
    Field("Website", "Website", "url", 255),
    choice("Industry", "Industry", INDUSTRIES),
    number("AnnualRevenue", "Annual Revenue", "currency", scale=2),
    number("NumberOfEmployees", "Employees", "int"),
    Field("Description", "Description", "textarea", 32000),
    choice("Rating", "Rating", ("Hot", "Warm", "Cold")),
    text("Site", "Account Site", 80),
)

STANDARD_OBJECTS = (
    ACCOUNT,
    define(
        "Contact",
        "Contacts",
        "003",
        lookup("AccountId", "Account", children="Contacts"),
        *person_name(),
        *address("Mailing"),
        *address("Other"),
        Field("Phone", "Phone", "phone", 40),
        Field("MobilePhone", "Mobile Phone", "phone", 40),
        Field("Email", "Email", "email", 80),
        text("Title", "Title", 128),
        text("Department", "Department", 80),
        lookup("ReportsToId", "Contact"),
        choice("LeadSource", "Lead Source", LEAD_SOURCES),
        Field("Birthdate", "Birthdate", "date"),
        Field("Description", "Description", "textarea", 32000),
        flag("DoNotCall", "Do Not Call"),
        flag("HasOptedOutOfEmail", "Email Opt Out"),
    ),
    define(
        "Lead",
        "Leads",
        "00Q",
        *person_name(),
        text("Company", "Company", 255, required=True),
        text("Title", "Title", 128),
        *address(""),
        Field("Phone", "Phone", "phone", 40),
        Field("Email", "Email", "email", 80),
        Field("Website", "Website", "url", 255),
        choice("LeadSource", "Lead Source", LEAD_SOURCES),
        choice("Status", "Status", ("Open - Not Contacted", "Working - Contacted"), default="Open - Not Contacted"),
        choice("Industry", "Industry", INDUSTRIES),
        number("AnnualRevenue", "Annual Revenue", "currency", scale=2),
        number("NumberOfEmployees", "Employees", "int"),
        flag("IsConverted", "Converted", read_only=True),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Opportunity",
        "Opportunities",
        "006",
        lookup("AccountId", "Account", children="Opportunities"),
        text("Name", "Name", 120, required=True, name_field=True),
        replace(choice("StageName", "Stage", STAGES), required=True),
        Field("CloseDate", "Close Date", "date", required=True),
        number("Amount", "Amount", "currency", scale=2),
        number("Probability", "Probability (%)", "percent"),
        choice("Type", "Opportunity Type", ("New Business", "Existing Business")),
        text("NextStep", "Next Step", 255),
        choice("LeadSource", "Lead Source", LEAD_SOURCES),
        lookup("CampaignId", "Campaign", children="Opportunities"),
        lookup("Pricebook2Id", "Pricebook2", children="Opportunities"),
        flag("IsPrivate", "Private"),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Case",
        "Cases",
        "500",
        Field("CaseNumber", "Case Number", "string", 30, read_only=True, auto_number="{:08d}", name_field=True),
        lookup("ContactId", "Contact", children="Cases"),
        lookup("AccountId", "Account", children="Cases"),
        lookup("ParentId", "Case", children="Cases"),
        text("Subject", "Subject", 255),
        choice("Status", "Status", ("New", "Working", "Escalated", "Closed"), default="New"),
        choice("Priority", "Priority", ("High", "Medium", "Low"), default="Medium"),
        choice("Origin", "Case Origin", ("Email", "Phone", "Web")),
        choice("Reason", "Case Reason", ("Installation", "Performance", "Other")),
        text("SuppliedName", "Name", 80),
        Field("SuppliedEmail", "Email", "email", 80),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Task",
        "Tasks",
        "00T",
        lookup("WhoId", "Contact", children="Tasks", also=PEOPLE[1:]),
        lookup("WhatId", "Account", children="Tasks", also=THINGS[1:]),
        Field("Subject", "Subject", "combobox", 255, name_field=True),
        Field("ActivityDate", "Due Date Only", "date"),
        choice("Status", "Status", ("Not Started", "In Progress", "Completed"), default="Not Started"),
        choice("Priority", "Priority", ("High", "Normal", "Low"), default="Normal"),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Event",
        "Events",
        "00U",
        lookup("WhoId", "Contact", children="Events", also=PEOPLE[1:]),
        lookup("WhatId", "Account", children="Events", also=THINGS[1:]),
        Field("Subject", "Subject", "combobox", 255, name_field=True),
        text("Location", "Location", 255),
        Field("ActivityDateTime", "Due Date Time", "datetime", required=True),
        Field("DurationInMinutes", "Duration", "int", required=True),
        flag("IsAllDayEvent", "All-Day Event"),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Campaign",
        "Campaigns",
        "701",
        text("Name", "Name", 80, required=True, name_field=True),
        lookup("ParentId", "Campaign", children="ChildCampaigns"),
        choice("Type", "Type", ("Conference", "Webinar", "Email", "Other")),
        choice("Status", "Status", ("Planned", "In Progress", "Completed"), default="Planned"),
        Field("StartDate", "Start Date", "date"),
        Field("EndDate", "End Date", "date"),
        number("BudgetedCost", "Budgeted Cost", "currency", scale=2),
        number("ExpectedResponse", "Expected Response (%)", "percent", scale=2),
        flag("IsActive", "Active"),
        Field("Description", "Description", "textarea", 32000),
    ),
    define(
        "Product2",
        "Products",
        "01t",
        text("Name", "Product Name", 255, required=True, name_field=True),
        text("ProductCode", "Product Code", 255),
        choice("Family", "Product Family", ("None",)),
        flag("IsActive", "Active"),
        Field("Description", "Product Description", "textarea", 4000),
    ),
    define(
        "Pricebook2",
        "Price Books",
        "01s",
        text("Name", "Price Book Name", 255, required=True, name_field=True),
        flag("IsActive", "Active"),
        flag("IsStandard", "Is Standard Price Book", read_only=True),
        Field("Description", "Description", "string", 255),
    ),
    define(
        "PricebookEntry",
        "Price Book Entries",
        "01u",
        Field("Name", "Product Name", "string", 255, read_only=True, auto_number="PBE-{:08d}", name_field=True),
        lookup("Pricebook2Id", "Pricebook2", children="PricebookEntries", required=True),
        lookup("Product2Id", "Product2", children="PricebookEntries", required=True),
        Field("UnitPrice", "List Price", "currency", scale=2, required=True),
        flag("IsActive", "Active"),
        flag("UseStandardPrice", "Use Standard Price"),
    ),
    define(
        "Profile",
        "Profiles",
        "00e",
        Field("Name", "Name", "string", 255, read_only=True, name_field=True),
        Field("UserType", "User Type", "picklist", 40, read_only=True, restricted=False),
        system=True,
    ),
    define(
        "Organization",
        "Organizations",
        "00D",
        Field("Name", "Name", "string", 80, read_only=True, name_field=True),
        Field("InstanceName", "Instance Name", "string", 5, read_only=True),
        flag("IsSandbox", "Is Sandbox", read_only=True),
        Field("OrganizationType", "Edition", "picklist", 40, read_only=True, restricted=False),
        system=True,
    ),
    define(
        "RecordType",
        "Record Types",
        "012",
        Field("Name", "Name", "string", 80, read_only=True, name_field=True),
        Field("DeveloperName", "Record Type Name", "string", 80, read_only=True),
        Field("SobjectType", "SObject Type Name", "picklist", 40, read_only=True, restricted=False),
        flag("IsActive", "Active", read_only=True),
        system=True,
    ),
    define(
        "Group",
        "Groups",
        "00G",
        Field("Name", "Name", "string", 40, read_only=True, name_field=True),
        Field("DeveloperName", "Developer Name", "string", 80, read_only=True),
        Field("Type", "Type", "picklist", 40, read_only=True, restricted=False),
        system=True,
    ),
)
