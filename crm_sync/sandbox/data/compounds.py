"""Compound fields: addresses and locations, which are read as one value and written by their parts.

Source: "Compound Fields" in the Object Reference. A compound is not stored: it is put together when it is read.
"""

from __future__ import annotations

import math

from crm_sync.sandbox.data.fields import COORDINATE_LIMITS, Field

# The parts of an address by their names in its value, and the ends of the names of their fields.
ADDRESS_PARTS = {
    "city": "City",
    "country": "Country",
    "countryCode": "CountryCode",
    "geocodeAccuracy": "GeocodeAccuracy",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "postalCode": "PostalCode",
    "state": "State",
    "stateCode": "StateCode",
    "street": "Street",
}
COORDINATES = tuple(COORDINATE_LIMITS)
COORDINATE_SCALE = 15
COMPOUND_TYPES = frozenset({"address", "location"})
EARTH_RADIUS = {"km": 6_371.0088, "mi": 3_958.7613}


def define_compound(name: str, label: str, kind: str, *, parts: list[str]) -> Field:
    """Return a compound of the fields named `parts`. Raises ValueError when one of them is no part of such a value.

    `kind`: `address` or `location`.
    """
    known = {end.lower(): key for key, end in ADDRESS_PARTS.items()}
    ends = sorted(known, key=len, reverse=True)
    components = []
    for part in parts:
        bare = part.removesuffix("__s").lower()
        key = next((known[end] for end in ends if bare.endswith(end)), None)
        if key is None:
            raise ValueError(f"{name}: {part} is no part of an {kind}")
        components.append((key, part))
    return Field(name, label, kind, read_only=True, components=tuple(sorted(components)))


def name_coordinates(location: str) -> list[str]:
    """Return the names of the two fields of a location that an administrator added, such as `Location__c`."""
    return [f"{location.removesuffix('__c')}__{part.title()}__s" for part in COORDINATES]


def define_coordinates(location: str, label: str, *, scale: int) -> list[Field]:
    """Return the two fields of a location that an administrator added."""
    return [
        Field(name, f"{label} ({part.title()})", "double", scale=scale)
        for name, part in zip(name_coordinates(location), COORDINATES, strict=True)
    ]


def write_compound(compound: Field, *, alias: str) -> str:
    """Return the SQL of a compound's value as JSON, which is NULL when all its parts are."""
    parts = [(key, f'{alias}."{name}"') for key, name in compound.components]
    values = ", ".join(f"'{key}', {sql}" for key, sql in parts)
    filled = ", ".join(sql for _, sql in parts)
    return f"CASE WHEN coalesce({filled}, NULL) IS NOT NULL THEN json_object({values}) END"


def measure_distance(
    first_latitude: float | None,
    first_longitude: float | None,
    second_latitude: float | None,
    second_longitude: float | None,
    unit: str,
) -> float | None:
    """Return the distance over the surface of the earth between two points in degrees, in `km` or `mi`.

    Returns None when a coordinate is missing. Uses the haversine formula.
    """
    if first_latitude is None or first_longitude is None or second_latitude is None or second_longitude is None:
        return None
    start, end = math.radians(first_latitude), math.radians(second_latitude)
    across = math.radians(second_longitude - first_longitude)
    chord = math.sin((end - start) / 2) ** 2 + math.cos(start) * math.cos(end) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS[unit] * math.asin(math.sqrt(min(1.0, chord)))
