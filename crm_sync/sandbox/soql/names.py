"""Resolves the names in a query to objects and columns, and adds the joins that their relationships need."""

from dataclasses import dataclass, field

from crm_sync.sandbox.data.schema import Field, SObject, find_object
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.grammar import place_error

CUSTOM_HINT = (
    "If you are attempting to use a custom {kind}, be sure to append the '{suffix}' after the {name} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
MAX_RELATIONSHIPS = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A resolved field: its SQL, its definition and the relationships of its path (none for the base object)."""

    sql: str
    field: Field
    relationships: tuple[str, ...] = ()


@dataclass(slots=True)
class Join:
    """The join over one relationship. The query has one for all uses of the relationship."""

    alias: str
    sobject: SObject
    name: str


@dataclass(slots=True)
class Scope:
    """The names that a query may use. `base` is the SQL alias of its object; a nested query has a scope of its own."""

    query_text: str
    sobject: SObject
    base: str
    aliases: frozenset[str]
    include_hidden: bool = False
    joins: dict[tuple[str, ...], Join] = field(default_factory=dict)
    join_sql: list[str] = field(default_factory=list)

    def refuse(self, *, position: int, code: str, message: str) -> ApiError:
        """Return an error that shows its place in the query."""
        return place_error(self.query_text, position=position, code=code, message=message)

    def resolve(self, path: tree.Path) -> Column:
        """Return the column of a field path. Raises ApiError `INVALID_FIELD` that names the unknown part."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() in self.aliases:
            parts = parts[1:]
        *relationships, name = parts
        sobject, alias = self.sobject, self.base
        chain: tuple[str, ...] = ()
        for relationship in relationships:
            join = self._join(sobject, alias, chain, relationship, path)
            sobject, alias, chain = join.sobject, join.alias, (*chain, join.name)
        entry = sobject.find_field(name)
        if entry is None:
            hint = CUSTOM_HINT.format(kind="field", suffix="__c", name="custom field")
            raise self.refuse(
                position=path.position,
                code="INVALID_FIELD",
                message=f"No such column '{name}' on entity '{sobject.name}'. {hint}",
            )
        return Column(f'{alias}."{entry.name}"', entry, chain)

    def _join(self, sobject: SObject, alias: str, chain: tuple[str, ...], relationship: str, path: tree.Path) -> Join:
        """Return the join over one relationship. Adds it on first use."""
        reference = sobject.by_relationship.get(relationship.lower())
        target = find_object(reference.reference_to) if reference else None
        if reference is None or target is None:
            hint = CUSTOM_HINT.format(kind="relationship", suffix="__r", name="custom relationship")
            raise self.refuse(
                position=path.position,
                code="INVALID_FIELD",
                message=f"Didn't understand relationship '{relationship}' in field path. {hint}",
            )
        key = (*chain, reference.relationship)
        join = self.joins.get(key)
        if join is None:
            if len(key) > MAX_RELATIONSHIPS:
                raise self.refuse(
                    position=path.position,
                    code="MALFORMED_QUERY",
                    message="SOQL relationship query: at most 5 levels of child-to-parent relationships are allowed",
                )
            join = Join(f"{self.base}_{len(self.joins)}", target, reference.relationship)
            self.joins[key] = join
            visible = "" if self.include_hidden else f' AND {join.alias}."Id" {NOT_HIDDEN}'
            self.join_sql.append(
                f'LEFT JOIN "{target.name}" {join.alias} ON {join.alias}."Id" = {alias}."{reference.name}"{visible}'
            )
        return join


def open_scope(
    query: tree.Query, *, text: str, base: str, sobject: SObject | None = None, include_hidden: bool = False
) -> Scope:
    """Return the scope of a query over its object. Raises ApiError `INVALID_TYPE` for an unknown object."""
    found = sobject or find_object(query.source)
    if found is None:
        hint = CUSTOM_HINT.format(kind="object", suffix="__c", name="entity")
        raise place_error(
            text,
            position=query.source_position,
            code="INVALID_TYPE",
            message=f"sObject type '{query.source}' is not supported. {hint}",
        )
    aliases = {found.name.lower(), query.source.lower(), (query.alias or query.source).lower()}
    return Scope(text, found, base, frozenset(aliases), include_hidden)
