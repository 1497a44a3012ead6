"""Duplicate rules: an object's records are alike when all of these fields have equal values."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow

ALIKE_FIELDS = {
    "Account": ("FirstName", "LastName"),
    "Call2_vod__c": ("Call_Datetime_vod__c", "Call_Channel_vod__c"),
    "Vault_Clinical_Interaction_vod__c": ("Subject_vod__c", "Interaction_Date_vod__c"),
    "Clinical_Study_vod__c": ("Name",),
    "Clinical_Site_vod__c": ("Name", "Site_Name_vod__c"),
}


def is_duplicate(organisation: Organisation, row: PlannedRow) -> bool:
    """Whether another record that is not deleted is like the row. A row without one of the fields is like none."""
    names = ALIKE_FIELDS.get(row.sobject.name, ("Name",))
    values = [row.values.get(name) for name in names]
    if any(value is None for value in values):
        return False
    conditions = " AND ".join(f'"{name}" = ?' for name in names)
    return (
        organisation.database.fetch_one(
            f'SELECT 1 FROM "{row.sobject.name}" WHERE "IsDeleted" = 0 AND {conditions} AND "Id" != ?',
            (*values, row.id or ""),
        )
        is not None
    )
