"""Count how many persons have, lack or share the identifiers by which persons and accounts are matched."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q, Sum, Window
from django.db.models.functions import Lower, RowNumber

from connections.models import Connection
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.identity.account_matching import build_identifier_expression
from crm_sync.engine.rules.identifiers import IdentifierMapping, get_identifier_mapping
from crm_sync.models import AccountMatch
from ctms.clinical.models import Person
from ctms.configuration.registry import UnknownFieldError, get_object, resolve_path
from ctms.configuration.selectors import get_application_settings
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ctms.configuration.models import ApplicationSettings
    from ctms.configuration.registry import ObjectField

EXAMPLES = 5
_PERSONS_PER_EXAMPLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How many values are shared by how many persons.

    Each of the `examples` is a list of visible persons who share a value, annotated with `identifier`.
    """

    values: int
    persons: int
    examples: list[list[Person]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierStatistics:
    """How many persons have, lack or share a value in a field of Person."""

    field: ObjectField
    persons: int
    with_value: int
    exact: Sharing
    but_for_case: Sharing

    @property
    def without_value(self) -> int:
        return self.persons - self.with_value


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionMapping:
    """The mapping of a connection, or the `problem` if there is none.

    `matches` counts the stored matches found with this mapping, `outdated` those found with another one.
    """

    connection: Connection
    identifiers: IdentifierMapping | None
    origin: str
    problem: str
    matches: int
    outdated: int


def annotate_identifier(persons: QuerySet[Person], *, field: ObjectField) -> Any:
    """Annotate the persons who have an `identifier` with it; leave out the others."""
    expression = build_identifier_expression(IdentifierMapping(person_field=field, account_field=""))
    return persons.annotate(identifier=expression).filter(identifier__gt="")


def measure_identifier(*, field: ObjectField, visible: QuerySet[Person]) -> IdentifierStatistics:
    """Count over all persons, with examples from the visible ones; takes seven statements."""
    expression = build_identifier_expression(IdentifierMapping(person_field=field, account_field=""))
    identified: Any = Person.objects.annotate(identifier=expression)
    counts = identified.aggregate(persons=Count("pk"), with_value=Count("pk", filter=Q(identifier__gt="")))
    every = annotate_identifier(Person.objects.all(), field=field).order_by()
    shown = annotate_identifier(visible, field=field)
    return IdentifierStatistics(
        field=field,
        persons=counts["persons"],
        with_value=counts["with_value"],
        exact=_measure_sharing(
            every.values("identifier").annotate(number=Count("pk")).filter(number__gt=1),
            shown=shown,
            key="identifier",
        ),
        but_for_case=_measure_sharing(
            every.annotate(folded=Lower("identifier"))
            .values("folded")
            .annotate(number=Count("pk"), spellings=Count("identifier", distinct=True))
            .filter(spellings__gt=1),
            shown=shown.annotate(folded=Lower("identifier")),
            key="folded",
        ),
    )


def list_mappings() -> list[ConnectionMapping]:
    """Return the mapping of every active connection."""
    common = get_application_settings()
    remembered = _count_matches()
    active = Connection.objects.filter(status=RecordStatus.ACTIVE).select_related("authorization", "identifier_mapping")
    return [_describe_mapping(each, common=common, remembered=remembered[each.pk]) for each in active]


def list_fields(mappings: list[ConnectionMapping]) -> list[ObjectField]:
    """Return each field that identifies persons once: that of Application Settings, then those of connections."""
    fields: dict[str, ObjectField] = {}
    name = get_application_settings().clinical_person_identifier
    if name:
        try:
            _, field = resolve_path(vault_object=get_object(Person.object_name), path=name)
        except UnknownFieldError:
            pass
        else:
            fields[field.api_name] = field
    for mapping in mappings:
        if mapping.identifiers is not None:
            fields.setdefault(mapping.identifiers.person_field.api_name, mapping.identifiers.person_field)
    return [field for field in fields.values() if not field.is_computed]


def _measure_sharing(groups: Any, *, shown: Any, key: str) -> Sharing:
    totals = groups.aggregate(groups=Count(key), total=Sum("number"))
    if not totals["groups"]:
        return Sharing(values=0, persons=0, examples=[])
    keys = [group[key] for group in groups.order_by(key)[:EXAMPLES]]
    ranked = (
        shown.filter(**{f"{key}__in": keys})
        .annotate(rank=Window(RowNumber(), partition_by=F(key), order_by="pk"))
        .filter(rank__lte=_PERSONS_PER_EXAMPLE)
        .order_by(key, "pk")
    )
    found: dict[str, list[Person]] = defaultdict(list)
    for person in ranked:
        found[getattr(person, key)].append(person)
    return Sharing(values=totals["groups"], persons=totals["total"], examples=list(found.values()))


def _count_matches() -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = AccountMatch.objects.values_list("connection_id", "identifier").annotate(number=Count("pk")).order_by()
    for connection_id, identifier, number in rows:
        counts[connection_id][identifier] = number
    return counts


def _describe_mapping(
    connection: Connection, *, common: ApplicationSettings, remembered: dict[str, int]
) -> ConnectionMapping:
    identifiers, problem = None, ""
    try:
        identifiers = get_identifier_mapping(connection)
    except ConfigurationError as error:
        problem = str(error)
    own = getattr(connection, "identifier_mapping", None)
    if identifiers is None:
        origin = "None"
    elif own is None:
        origin = "Global mapping of Application Settings"
    elif own.clinical_person_identifier or not common.enable_global_crm_mapping:
        origin = "Own mapping of the connection"
    else:
        origin = "Own account identifier, person identifier of Application Settings"
    matches = remembered.get(identifiers.key, 0) if identifiers else 0
    return ConnectionMapping(
        connection=connection,
        identifiers=identifiers,
        origin=origin,
        problem=problem,
        matches=matches,
        outdated=sum(remembered.values()) - matches,
    )
