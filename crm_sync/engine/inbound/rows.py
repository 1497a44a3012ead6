"""Read what a call says of its account and person, and its values. No row is believed to have the right form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import models

from crm_sync.engine.identity.account_matching import spell_identifier
from crm_sync.engine.mapping import MappingProblem
from ctms.core.text.characters import tidy_text
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from crm_sync.crm.dialect import CrmDialect, CrmRow
    from crm_sync.engine.mapping import Mapped
    from crm_sync.engine.rules.compiled import CompiledIntegration

ROW_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValidationError,
    ValueError,
)
"""What a value of an unexpected form may raise. It costs its own row and no other."""

_ODD_ANSWER: Final = (
    "The CRM never sends this itself: ask IT operations what stands between it and the Vault, such as a proxy."
)


def describe_missing_id(call: CrmRow) -> MappingProblem:
    """Return the problem of a call that has no id, so that it cannot be received."""
    return MappingProblem(
        error_type=ErrorType.MAPPING,
        message=f"A call came whose {call.flaw}, so it cannot be told apart from others. {_ODD_ANSWER} Every run reads "
        "it again.",
    )


def describe_flaw(call: CrmRow) -> MappingProblem:
    """Return the problem of a call whose fields do not all have the form that they always have."""
    return MappingProblem(
        error_type=ErrorType.MAPPING,
        message=f"The call's {call.flaw}. {_ODD_ANSWER} The next run reads the call again.",
    )


def read_identifier(*, plan: CompiledIntegration, call: CrmRow, crm: CrmDialect) -> str:
    """Return the identifier of the call's account; empty if there is none."""
    if plan.person_field is None or plan.identifiers is None:
        return ""
    return spell_identifier(call.get(crm.path(plan.person_field.source, plan.identifiers.account_field)))


def read_account(*, plan: CompiledIntegration, call: CrmRow) -> str:
    """Return the id of the call's account; empty if there is none."""
    return str(call.get(plan.person_field.source) or "") if plan.person_field is not None else ""


def describe_missing_identifier(*, plan: CompiledIntegration, call: CrmRow, crm: CrmDialect) -> MappingProblem:
    """Return why the call's person cannot be found: no account, none that the CRM shows, or one without identifier."""
    source = plan.person_field.source if plan.person_field else ""
    account = call.get(source)
    if not account:
        message = f"The call has no account ({source} is empty). Choose one in the CRM."
        return MappingProblem(error_type=ErrorType.MAPPING, message=message)
    account_field = plan.identifiers.account_field if plan.identifiers else ""
    if call.has(crm.path(source, account_field)):
        message = f"The account {account} of the call has no {account_field}. Enter it on the account in the CRM."
    else:
        message = (
            f"The CRM does not show the account {account} of the call: it was deleted, or the CRM user may not see it. "
            "Give the user access to it, or choose another account for the call in the CRM."
        )
    return MappingProblem(error_type=ErrorType.MATCHING, message=message)


def read_values(*, plan: CompiledIntegration, mapped: Mapped) -> dict[str, Any]:
    """Return the mapped values in the types of the model; add a problem for each that does not fit."""
    model: Any = plan.vault_object.model
    rules = {rule.end.attribute: rule for rule in plan.fields if rule.end is not None}
    values: dict[str, Any] = {}
    for attribute, value in mapped.payload.items():
        if attribute.endswith("_id"):
            values[attribute] = value
            continue
        model_field = model._meta.get_field(attribute)
        if not isinstance(model_field, models.Field):
            continue
        if value == "" and not isinstance(model_field, models.CharField | models.TextField):
            # The CRM has no value: clear the field if it may be null, else leave it as it is.
            if model_field.null:
                values[attribute] = None
            continue
        try:
            # A character that nobody sees must not cost the call.
            fit = (
                tidy_text(value, has_lines=isinstance(model_field, models.TextField))
                if isinstance(value, str)
                else value
            )
            values[attribute] = model_field.clean(fit, None)
        except ROW_ERRORS as error:
            detail = " ".join(error.messages) if isinstance(error, ValidationError) else "It is of another kind."
            rule = rules[attribute]
            mapped.problems.append(
                MappingProblem(
                    error_type=ErrorType.MAPPING,
                    message=f"The call's value {value!r} in {rule.source} does not fit {model_field.verbose_name}: "
                    f"{detail} Correct it in the CRM, or the field rule “{rule.label}”.",
                )
            )
    return values
