"""How copies of a record are made in one step for several others, such as a visit for several sites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CopyRule:
    """Copies of a record, one for each record chosen for the reference `per`. Fields are given by API name.

    `within` is the reference that all copies share and that limits the choice, such as the study. The first of `days`
    is asked for, and the others keep their distance to it. What is in `without` begins anew, as in a new record. Other
    references that `per` fills, such as the country, follow it.
    """

    label: str
    per: str
    within: str
    days: tuple[str, ...]
    without: tuple[str, ...] = ()
