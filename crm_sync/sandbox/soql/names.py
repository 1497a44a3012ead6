"""Resolves the names in a query to objects and columns, and adds the joins that their relationships need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crm_sync.sandbox.data.compounds import write_compound
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.grammar import place_error
from crm_sync.sandbox.soql.name_entity import define_name, list_targets, write_names

if TYPE_CHECKING:
    from collections.abc import Sequence

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chain of relationships leads: an object and its alias in SQL."""

    sobject: SObject
    alias: str
    chain: tuple[str, ...]

    def read(self, field: Field) -> Column:
        """Return the column of a field of the object."""
        sql = write_compound(field, alias=self.alias) if field.components else f'{self.alias}."{field.name}"'
        return Column(sql, field, self.chain)


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

    def refuse_relationship(self, relationship: str, path: tree.Path) -> ApiError:
        """Return the error for a relationship that an object does not have."""
        hint = CUSTOM_HINT.format(kind="relationship", suffix="__r", name="custom relationship")
        return self.refuse(
            position=path.position,
            code="INVALID_FIELD",
            message=f"Didn't understand relationship '{relationship}' in field path. {hint}",
        )

    def strip_alias(self, path: tree.Path) -> tuple[str, ...]:
        """Return the parts of a path without the alias of the query's object."""
        return path.parts[1:] if len(path.parts) > 1 and path.parts[0].lower() in self.aliases else path.parts

    def resolve(self, path: tree.Path) -> Column:
        """Return the column of a field path. Raises ApiError `INVALID_FIELD` that names the unknown part."""
        *relationships, name = self.strip_alias(path)
        place = self.follow(relationships, path)
        entry = place.sobject.find_field(name) or place.sobject.find_compound(name)
        if entry is None:
            hint = CUSTOM_HINT.format(kind="field", suffix="__c", name="custom field")
            raise self.refuse(
                position=path.position,
                code="INVALID_FIELD",
                message=f"No such column '{name}' on entity '{place.sobject.name}'. {hint}",
            )
        return place.read(entry)

    def follow(self, relationships: Sequence[str], path: tree.Path) -> Place:
        """Return where relationships lead from the query's object. Raises ApiError `INVALID_FIELD` for unknown ones."""
        place = Place(self.sobject, self.base, ())
        for relationship in relationships:
            join = self._join(place, relationship, path)
            place = Place(join.sobject, join.alias, (*place.chain, join.name))
        return place

    def _join(self, place: Place, relationship: str, path: tree.Path) -> Join:
        """Return the join over one relationship. Adds it on first use."""
        reference = place.sobject.by_relationship.get(relationship.lower())
        targets = list_targets(reference, place.sobject.schema) if reference else []
        if reference is None or not targets:
            raise self.refuse_relationship(relationship, path)
        key = (*place.chain, reference.relationship)
        join = self.joins.get(key)
        if join is not None:
            return join
        if len(key) > MAX_RELATIONSHIPS:
            raise self.refuse(
                position=path.position,
                code="MALFORMED_QUERY",
                message="SOQL relationship query: at most 5 levels of child-to-parent relationships are allowed",
            )
        on = f'{place.alias}."{reference.name}"'
        if reference.also_refers_to:
            return self.add_join(key, define_name(place.sobject.schema), write_names(targets), on=on)
        return self.add_join(key, targets[0], f'"{targets[0].name}"', on=on)

    def add_join(self, key: tuple[str, ...], target: SObject, table: str, *, on: str) -> Join:
        """Add a join with the records of a table whose id is in the column `on`."""
        join = Join(f"{self.base}_{len(self.joins)}", target, key[-1])
        self.joins[key] = join
        visible = "" if self.include_hidden else f' AND {join.alias}."Id" {NOT_HIDDEN}'
        self.join_sql.append(f'LEFT JOIN {table} {join.alias} ON {join.alias}."Id" = {on}{visible}')
        return join

    def open_below(self, join: Join) -> Scope:
        """Return the scope of the fields of a joined record. Its joins become those of the same query."""
        return Scope(
            self.query_text,
            join.sobject,
            join.alias,
            frozenset(),
            self.include_hidden,
            join_sql=self.join_sql,
        )


def open_scope(
    query: tree.Query,
    *,
    text: str,
    base: str,
    schema: Schema,
    sobject: SObject | None = None,
    include_hidden: bool = False,
) -> Scope:
    """Return the scope of a query over its object. Raises ApiError `INVALID_TYPE` for an unknown object."""
    found = sobject or schema.find(query.source)
    if found is None:
        raise refuse_object(text, query.source, position=query.source_position)
    aliases = {found.name.lower(), query.source.lower(), (query.alias or query.source).lower()}
    return Scope(text, found, base, frozenset(aliases), include_hidden)


def refuse_object(text: str, name: str, *, position: int) -> ApiError:
    """Return the error for an object that does not exist, by its place in the query `text`."""
    hint = CUSTOM_HINT.format(kind="object", suffix="__c", name="entity")
    message = f"sObject type '{name}' is not supported. {hint}"
    return place_error(text, position=position, code="INVALID_TYPE", message=message)
