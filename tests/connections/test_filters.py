"""Filters of integration rules: fields and operators, matching records, and errors of invalid conditions."""

from __future__ import annotations

from typing import Any

import pytest

from activities.choices import Channel
from activities.models import Activity
from connections.choices import IntegrationKind
from connections.filters import RuleFilter, compile_filter
from connections.models import Connection, IntegrationRule
from connections.ruleservices import count_matching, set_filter
from connections.services import create_connection
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Study, StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.snapshot import load_configuration
from ctms.core.errors import StaleRecordError
from ctms.records.conditions.askers import VaultAsker
from ctms.records.conditions.errors import ConditionError
from ctms.records.conditions.kinds import list_operators
from ctms.records.conditions.subjects import list_subjects
from ctms.records.fields.comparing.operators import PERIODS, Operator, takes_values
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
_MODELS: dict[str, Any] = {"study__v": Study, "site__v": StudySite, "crm_activity__v": Activity}


def save(record: Any) -> None:
    save_record(record=record, actor=build_admin_actor())


def add_custom_field(of_object: str, name: str, kind: str, **values: Any) -> None:
    save(CustomField(of_object=of_object, api_name=name, label=name.removesuffix("__c").title(), kind=kind, **values))


def fill_custom(record: Any, **values: Any) -> Any:
    record.custom_fields = values
    save(record)
    return record


def compile_stored(object_name: str, *stored: Any) -> RuleFilter:
    return compile_filter(configuration=load_configuration(), object_name=object_name, stored=list(stored))


def select(object_name: str, *conditions: tuple[str, str, list[str]]) -> set[Any]:
    """Return the records that fulfil the conditions."""
    stored = [{"field": path, "operator": operator, "values": values} for path, operator, values in conditions]
    return set(compile_stored(object_name, *stored).limit(_MODELS[object_name]._base_manager.all()))


def refuse(object_name: str, path: str, operator: str, values: list[str]) -> str:
    with pytest.raises(ConditionError) as refused:
        compile_stored(object_name, {"field": path, "operator": operator, "values": values})
    return str(refused.value)


def get_rule(kind: IntegrationKind = IntegrationKind.SITE_OUTBOUND, connection: Connection | None = None) -> Any:
    connection = connection or ConnectionFactory.create()
    return IntegrationRule.objects.select_related("integration").get(
        integration__connection=connection, integration__kind=kind
    )


# -- What is let through ----------------------------------------------------------------------------
def test_picklists() -> None:
    phone, video = (ActivityFactory.create(channel=channel) for channel in (Channel.PHONE, Channel.VIDEO))
    assert select("crm_activity__v", ("channel__v", "is", ["phone__v", "email__v"])) == {phone}
    assert select("crm_activity__v", ("channel__v", "is_not", ["phone__v"])) == {video}


def test_references_by_uid_of_which_some_may_be_gone() -> None:
    first, second = StudySiteFactory.create_batch(2)
    gone = "00000000-0000-0000-0000-000000000001"
    assert select("site__v", ("study__v", "is", [str(first.study.uid), gone])) == {first}
    assert select("site__v", ("study__v", "is_not", [str(first.study.uid), gone])) == {second}
    assert select("site__v", ("study__v", "is", [gone])) == set()


def test_what_holds_nothing_is_none_of_the_values() -> None:
    site = StudySiteFactory.create()
    with_site, without = ActivityFactory.create(site=site), ActivityFactory.create()
    values = [str(site.uid)]
    assert select("crm_activity__v", ("site__v", "is_not", values)) == {without}
    assert select("crm_activity__v", ("site__v", "empty", [])) == {without}
    assert select("crm_activity__v", ("site__v", "not_empty", [])) == {with_site}


def test_texts_exactly() -> None:
    acme, other, none = (StudyFactory.create(sponsor=sponsor) for sponsor in ("Acme, Inc.", "acme", ""))
    assert select("study__v", ("sponsor__v", "is", ["Acme, Inc."])) == {acme}
    assert select("study__v", ("sponsor__v", "is", ["acme", "Best"])) == {other}
    assert select("study__v", ("sponsor__v", "is_not", ["acme"])) == {acme, none}
    assert select("study__v", ("sponsor__v", "empty", [])) == {none}


def test_yes_and_no() -> None:
    complete, planned = (ActivityFactory.create(complete=complete) for complete in (True, False))
    assert select("crm_activity__v", ("complete__v", "is", ["true"])) == {complete}
    assert select("crm_activity__v", ("complete__v", "is", ["false"])) == {planned}


def test_days_from_and_until_with_both_ends() -> None:
    days = {day: ActivityFactory.create(date=f"2026-03-{day:02}") for day in (1, 2, 3, 4)}
    span = (("date__v", "from", ["2026-03-02"]), ("date__v", "until", ["2026-03-03"]))
    assert select("crm_activity__v", *span) == {days[2], days[3]}


def test_moments_by_the_days_of_utc(settings: Any) -> None:
    study = StudyFactory.create()
    day = study.created_at.date().isoformat()
    settings.TIME_ZONE = "Pacific/Kiritimati"
    assert select("study__v", ("created_date__v", "from", [day]), ("created_date__v", "until", [day])) == {study}


def test_fields_of_records_referred_to() -> None:
    german, french = (
        StudySiteFactory.create(study_country=StudyCountryFactory.create(country=code)) for code in ("DE", "FR")
    )
    at_site = ActivityFactory.create(site=german)
    at_home = ActivityFactory.create()
    assert select("site__v", ("study_country__v.country__v", "is", ["DE", "AT"])) == {german}
    assert select("site__v", ("study_country__v.country__v", "is_not", ["DE"])) == {french}
    assert select("crm_activity__v", ("site__v.city__v", "empty", [])) == {at_site, at_home}
    assert select("crm_activity__v", ("study__v.study_phase__v", "is", ["phase_3__v"])) == {at_site}


def test_custom_fields_of_every_kind() -> None:
    for name, kind in (("region__c", "text"), ("score__c", "number"), ("start__c", "date"), ("key__c", "yes_no")):
        add_custom_field("site__v", name, kind)
    add_custom_field("site__v", "tier__c", "picklist", picklist_values=["A", "B"])
    add_custom_field("site__v", "monitor__c", "reference")
    person = PersonFactory.create()
    full = fill_custom(
        StudySiteFactory.create(),
        region__c="EMEA",
        score__c=7.5,
        start__c="2026-03-02",
        key__c=True,
        tier__c="A",
        monitor__c=str(person.uid),
    )
    empty = StudySiteFactory.create()
    for path, operator, values in (
        ("region__c", "is", ["EMEA"]),
        ("score__c", "from", ["7.5"]),
        ("score__c", "is", ["7.5"]),
        ("start__c", "until", ["2026-03-02"]),
        ("key__c", "is", ["true"]),
        ("tier__c", "is", ["A"]),
        ("monitor__c", "is", [str(person.uid)]),
        ("region__c", "not_empty", []),
    ):
        assert select("site__v", (path, operator, values)) == {full}, path
    for path, operator, values in (
        ("region__c", "is_not", ["EMEA"]),
        ("tier__c", "is_not", ["A"]),
        ("monitor__c", "empty", []),
    ):
        assert select("site__v", (path, operator, values)) == {empty}, path
    activity = ActivityFactory.create(site=full)
    ActivityFactory.create(site=empty)
    assert select("crm_activity__v", ("site__v.region__c", "is", ["EMEA"])) == {activity}


# -- What may be asked ------------------------------------------------------------------------------
def test_stored_fields_are_offered_and_those_of_records_referred_to() -> None:
    add_custom_field("site__v", "region__c", "text")
    asker = VaultAsker(configuration=load_configuration())
    subjects = list_subjects(asker=asker, object_name="crm_activity__v", object_type="clinical_activity__v")
    offered = {each.path: each.label for each in subjects}
    assert offered["site__v.region__c"] == "Site: Region"
    assert offered["channel__v"] == "Channel"
    # The transfer treats status and object type itself; users are no records.
    not_offered = {"status__v", "object_type__v", "uid__sys", "created_by__v", "study__v.status__v"}
    assert not_offered & set(offered) == set()


def test_every_field_that_is_offered_can_be_asked_everything_that_is_offered() -> None:
    asker = VaultAsker(configuration=load_configuration())
    day, uid = ["2026-01-01"], ["00000000-0000-0000-0000-000000000001"]
    examples = {"date": day, "datetime": day, "number": ["1"], "yes_no": ["true"], "reference": uid, "text": ["a"]}
    for subject in list_subjects(asker=asker, object_name="crm_activity__v"):
        field = subject.field
        for operator in list_operators(asker=asker, field=field):
            choices = [value for value, _ in subject.shape.list_choices(field)]
            values = choices[:1] or examples.get(field.kind, ["a"])
            if operator in PERIODS:
                values = ["last_30_days"]
            elif operator == Operator.BETWEEN:
                values = values * 2
            elif not takes_values(operator):
                values = []
            select("crm_activity__v", (subject.path, str(operator), values))


@pytest.mark.parametrize(
    ("path", "operator", "values", "message"),
    [
        (
            "gone__c",
            "is",
            ["x"],
            "The filter asks about gone__c, which Activity does not have (any more). Remove the condition, or make",
        ),
        (
            "site__v.gone__c",
            "is",
            ["x"],
            "The filter asks about site__v.gone__c, which Activity does not have (any more). Remove the condition, or",
        ),
        ("channel__v", "is", ["fax__v"], "Channel: The picklist has no value 'fax__v' (any more). Choose among those"),
        ("channel__v", "from", ["a"], "Channel: “is from” cannot be asked of it. Choose another operator, or remove"),
        ("channel__v", "is", [], "Channel: Enter a value, or choose “is empty” or “is not empty”."),
        ("date__v", "from", ["soon"], "Date: 'soon' is no day. Enter it as year-month-day, e.g. 2026-03-31."),
        ("date__v", "from", ["1066-10-14"], "Date: Enter a day between 1900-01-01 and 2199-12-31."),
        ("study__v", "is", ["VX-9"], "Study: 'VX-9' is no uid. Choose the record again."),
        ("date__v", "from", ["2026-01-01", "2026-01-02"], "Date: Enter one value; “is from” takes no more."),
        ("date__v", "between", ["2026-01-02"], "Date: Enter both values, from and until."),
        ("date__v", "between", ["2026-01-02", "2026-01-01"], "Date: “From” (2026-01-02) is after “until” (2026-01-01)"),
        ("date__v", "within", ["soon"], "Date: 'soon' is no period. Enter one such as today, this_week, last_30_days"),
        ("subject__v", "is", ["x" * 256], "Subject: A value has at most 255 characters;"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_field_and_remedy(
    path: str, operator: str, values: list[str], message: str
) -> None:
    assert refuse("crm_activity__v", path, operator, values).startswith(message)


@pytest.mark.parametrize("stored", ["text", {"field": "channel__v", "operator": "is", "values": "phone__v"}, None])
def test_what_is_no_condition_is_refused(stored: Any) -> None:
    with pytest.raises(ConditionError, match=r"Condition 1 of the filter cannot be read\. Remove it\."):
        compile_stored("crm_activity__v", stored)


def test_a_custom_field_that_was_made_inactive_is_gone() -> None:
    add_custom_field("site__v", "region__c", "text")
    assert compile_stored("site__v", {"field": "region__c", "operator": "is", "values": ["EMEA"]})
    field = CustomField.objects.get()
    field.status = "inactive__v"
    save(field)
    assert "region__c" in refuse("site__v", "region__c", "is", ["EMEA"])


# -- Writing ----------------------------------------------------------------------------------------
def set_one(rule: IntegrationRule, path: str, operator: Operator, values: list[str], **options: Any) -> None:
    set_filter(
        rule=rule,
        conditions=[{"field": path, "operator": operator, "values": values}],
        actor=build_admin_actor(),
        expected_version=options.get("version", rule.version),
    )


def test_a_filter_is_kept_in_its_normal_form_and_audited() -> None:
    rule = get_rule()
    set_one(rule, "city__v", Operator.IS, [" Berlin ", "Paris", "Berlin"])
    rule.refresh_from_db()
    stored = [{"field": "city__v", "operator": "is", "values": ["Berlin", "Paris"]}]
    assert rule.conditions == stored
    entry = AuditEntry.objects.order_by("-pk")[0]
    assert (entry.record_uid, entry.changes) == (rule.uid, {"conditions": [[], stored]})


def test_somebody_elses_change_meanwhile_is_not_overwritten() -> None:
    rule = get_rule()
    opened = rule.version
    rule.deletion_value = "Gone"
    save(rule)
    with pytest.raises(StaleRecordError):
        set_one(rule, "city__v", Operator.IS, ["Berlin"], version=opened)


def test_calls_have_no_filter_here() -> None:
    with pytest.raises(ConditionError, match="CRM Call Inbound Integration has no filter: the CRM marks what it sends"):
        set_one(get_rule(IntegrationKind.CALL_INBOUND), "channel__v", Operator.IS, ["phone__v"])


def test_a_filter_has_an_end() -> None:
    rule = get_rule()
    condition = {"field": "city__v", "operator": "is", "values": ["Berlin"]}
    with pytest.raises(ConditionError, match="A filter has at most 40 conditions"):
        set_filter(rule=rule, conditions=[condition] * 41, actor=build_admin_actor(), expected_version=rule.version)


def test_what_matches_now_is_counted_among_the_records_of_the_rule() -> None:
    ActivityFactory.create(channel=Channel.PHONE)
    ActivityFactory.create(channel=Channel.VIDEO)
    MedicalActivityFactory.create(channel=Channel.PHONE)
    rule = get_rule(IntegrationKind.CALL_OUTBOUND)
    set_one(rule, "channel__v", Operator.IS, ["phone__v"])
    assert count_matching(rule) == (1, 2)


def test_a_copied_connection_has_the_filters_of_the_other() -> None:
    source = ConnectionFactory.create()
    set_one(get_rule(connection=source), "city__v", Operator.IS, ["Berlin"])
    copy = Connection(name="Copy", url="https://copy.my.salesforce.com")
    create_connection(connection=copy, actor=build_admin_actor(), copy_rules_of=source)
    assert get_rule(connection=copy).conditions == [{"field": "city__v", "operator": "is", "values": ["Berlin"]}]
