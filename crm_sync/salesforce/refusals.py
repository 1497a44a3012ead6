"""What the CRM's error codes of single records mean for the transfer, and what an admin or user can do about them.

Source of the codes: Salesforce, SOAP API Developer Guide, "StatusCode".
"""

from typing import Final

from crm_sync.crm.errors import Meaning, RowError

_REMEDIES: Final = {
    "REQUIRED_FIELD_MISSING": "Fill the field in, or activate the field rule that fills it.",
    "STRING_TOO_LONG": "Shorten the text.",
    "DUPLICATE_VALUE": "Another record in the CRM has this value already; correct one of the two.",
    "DUPLICATES_DETECTED": "A duplicate rule of the CRM refuses it: correct one of the two records, or, if the rule "
    "only warns, choose Allow duplicates in the integration rule.",
    "INVALID_CROSS_REFERENCE_KEY": "The record referred to is not in the CRM, or the CRM user may not see it.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the CRM refuses it; satisfy or change the rule.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "The CRM's picklist lacks the value: add it there, or correct the field "
    "rule's picklist map.",
    "UNABLE_TO_LOCK_ROW": "Somebody else was changing the record in the CRM; the next run tries again.",
}

# The same code may be about the record itself, about one to which it refers by id, or by external id.
_MEANINGS: Final = {
    "ENTITY_IS_DELETED": {Meaning.RECORD_GONE, Meaning.REFERENCE_GONE, Meaning.REFERENCE_REFUSED},
    "NOT_FOUND": {Meaning.RECORD_GONE, Meaning.REFERENCE_GONE},
    "INVALID_CROSS_REFERENCE_KEY": {Meaning.RECORD_GONE, Meaning.REFERENCE_GONE, Meaning.REFERENCE_REFUSED},
    "INVALID_FIELD": {Meaning.REFERENCE_GONE},
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": {Meaning.REFERENCE_GONE, Meaning.REFERENCE_REFUSED},
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": {Meaning.RULE_OF_THE_CRM},
}


def describe_refusal(*, code: str, message: str, fields: tuple[str, ...]) -> RowError:
    """Return the refusal of a record with what it may mean and the remedy for it."""
    return RowError(
        code=code,
        message=message,
        fields=fields,
        # A deleted record is refused as a whole; an error that names a field is about what is in the field.
        meanings=frozenset(_MEANINGS.get(code, ())) - ({Meaning.RECORD_GONE} if fields else set()),
        remedy=_REMEDIES.get(code, ""),
    )
