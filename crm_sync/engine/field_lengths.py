"""Remember how much text the CRM's fields take, as it describes them; `contributions/form_lengths.py` tells forms."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from connections.choices import DescriptionOrigin, FieldRuleKind
from connections.descriptions import store_description
from connections.models import FieldRule
from crm_sync.crm.errors import CrmError
from crm_sync.models import FieldLength
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from connections.crmdescription import DescribedObject
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from crm_sync.engine.run_session import IntegrationSession


def remember_lengths(*, plan: CompiledIntegration, described: DescribedObject) -> None:
    """Store the lengths of the fields that the plan copies text to; forget those of fields that have none."""
    rules = FieldRule.objects.filter(
        rule__integration=plan.integration, kind=FieldRuleKind.COPY, status=RecordStatus.ACTIVE
    )
    known = {each.field_rule_id: each for each in FieldLength.objects.filter(field_rule__in=rules)}
    changed: list[FieldLength] = []
    unknown: list[int] = []
    for rule in rules:
        field = described.find_field(rule.target)
        crm_field = build_crm_field(crm_object=plan.crm_object, target=rule.target)
        earlier = known.get(rule.pk)
        if field is None or not field.length:
            unknown.append(rule.pk)
        elif earlier is None or (earlier.crm_field, earlier.length) != (crm_field, field.length):
            changed.append(
                FieldLength(field_rule=rule, crm_field=crm_field, length=field.length, known_since=get_now())
            )
    if any(pk in known for pk in unknown):
        FieldLength.objects.filter(field_rule__in=unknown).delete()
    if changed:
        FieldLength.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["field_rule"],
            update_fields=["crm_field", "length", "known_since"],
        )


def learn_lengths(session: IntegrationSession) -> None:
    """Ask the CRM for the lengths, in one call. What it does not describe to this user is left as it is."""
    run, plan = session.run, session.plan
    try:
        described = run.pipeline.call(partial(run.crm.describe, plan.crm_object))
    except CrmError:
        return  # the transfer does not need it, and what it needs is told by its own calls
    with transaction.atomic():
        run.renew_lease()
        store_description(
            connection=plan.integration.connection,
            name=plan.crm_object,
            described=described,
            origin=DescriptionOrigin.TRANSFER,
        )
        if described is None:
            return
        remember_lengths(plan=plan, described=described)


def build_crm_field(*, crm_object: str, target: str) -> str:
    """Return the name of a field with that of its object, such as `Account.Name`."""
    return f"{crm_object}.{target}"
