"""`DISTANCE(place, place, unit)`: how far a record's address or location is from a point or another place.

Source: "Location-Based SOQL Queries" in the SOQL and SOSL Reference. The messages of its refusals are our reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.sandbox.data.compounds import COORDINATES, EARTH_RADIUS
from crm_sync.sandbox.data.fields import COORDINATE_LIMITS, Field
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.names import Column

if TYPE_CHECKING:
    from crm_sync.sandbox.soql.names import Scope

DISTANCE = Field("DISTANCE", "Distance", "double")
ARGUMENTS = 3


def write_distance(function: tree.Function, scope: Scope) -> Column:
    """Return the SQL of a distance. Raises ApiError for arguments of another kind or in another order."""
    if len(function.arguments) != ARGUMENTS:
        raise scope.refuse(
            position=function.position,
            code="MALFORMED_QUERY",
            message="DISTANCE takes a location, a location and a unit",
        )
    first, second, unit = function.arguments
    if not isinstance(first, tree.Path):
        raise scope.refuse(
            position=first.position,
            code="MALFORMED_QUERY",
            message="the first argument of DISTANCE is a field with a location",
        )
    if not isinstance(unit, tree.Value) or unit.text not in EARTH_RADIUS:
        raise scope.refuse(
            position=unit.position, code="MALFORMED_QUERY", message="the unit of DISTANCE is 'mi' or 'km'"
        )
    places = (*write_place(first, scope), *write_place(second, scope))
    return Column(f"measure_distance({', '.join(places)}, '{unit.text}')", DISTANCE)


def write_place(place: tree.Argument, scope: Scope) -> tuple[str, ...]:
    """Return the SQL of latitude and longitude of a field, or of `GEOLOCATION(latitude, longitude)`."""
    if isinstance(place, tree.Path):
        return write_coordinates(place, scope)
    if not isinstance(place, tree.Function) or place.name.lower() != "geolocation":
        raise scope.refuse(
            position=place.position, code="MALFORMED_QUERY", message="DISTANCE takes a location or GEOLOCATION"
        )
    numbers = [each for each in place.arguments if isinstance(each, tree.Value) and each.kind == "number"]
    if len(numbers) != len(COORDINATES) or len(place.arguments) != len(COORDINATES):
        raise scope.refuse(
            position=place.position, code="MALFORMED_QUERY", message="GEOLOCATION takes latitude and longitude, numbers"
        )
    for number, (name, most) in zip(numbers, COORDINATE_LIMITS.items(), strict=True):
        if abs(float(number.text)) > most:
            raise scope.refuse(
                position=number.position,
                code="INVALID_FIELD",
                message=f"the {name} of GEOLOCATION is a number from -{most} to {most}",
            )
    return tuple(repr(float(number.text)) for number in numbers)


def write_coordinates(path: tree.Path, scope: Scope) -> tuple[str, ...]:
    """Return the SQL of latitude and longitude of an address or location. Raises ApiError for any other field."""
    column = scope.resolve(path)
    parts = dict(column.field.components)
    if not parts.keys() >= set(COORDINATES):
        raise scope.refuse(
            position=path.position,
            code="INVALID_FIELD",
            message=f"field '{path.text}' of type {column.field.type} does not support DISTANCE",
        )
    *parents, _ = path.parts
    return tuple(scope.resolve(tree.Path((*parents, parts[key]), path.position)).sql for key in COORDINATES)
