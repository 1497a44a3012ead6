"""References to users that people fill, such as the owner of a site: who may be chosen, and who is meant by a text.

Whoever may be chosen is a person, is active and sees the study; what is stored stays when a user loses access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Model, Q, QuerySet

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.clock import get_now

_MOST_WORDS = 6

# Model of a place, such as a site → uid.
Places = Mapping[type[Model], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRule:
    """Who sees a place: `build` returns the condition for users, from the uids of places of these models.

    `build_unseen` returns the condition for records of a model whose owner does not see where they are.
    """

    models: tuple[type[Model], ...]
    build: Callable[[Places], Q]
    build_unseen: Callable[[type[Model]], Q]


_rules: list[UserRule] = []


def register_user_rule(rule: UserRule) -> None:
    """Let only those users be chosen who see the places that a record names."""
    if rule not in _rules:
        _rules.append(rule)


def build_waiting(model: type[Model]) -> Q:
    """Return the condition for records whose owner may not log in, or does not see where they are."""
    today = get_now().date()
    waiting = Q(owner__is_active=False) | Q(owner__valid_until__lt=today) | Q(owner__service_owner__isnull=False)
    for rule in _rules:
        waiting |= rule.build_unseen(model)
    return Q(owner__isnull=False) & waiting


def names_user(field: ObjectField) -> bool:
    """Whether people choose a user in the field; who created a record is not chosen."""
    return field.reference is User and not field.is_read_only


def list_users() -> QuerySet[User]:
    """Return the users who can be chosen anywhere: those who may log in."""
    ends_later = Q(valid_until__isnull=True) | Q(valid_until__gte=get_now().date())
    return User.objects.filter(ends_later, is_active=True, service_owner__isnull=True)


@lru_cache(maxsize=64)
def list_place_fields(shape: ObjectShape) -> tuple[ObjectField, ...]:
    """Return the references of an object that decide which users may be chosen."""
    known = {model for rule in _rules for model in rule.models}
    return tuple(each for each in shape.fields.values() if each.reference in known and not each.is_custom)


def list_users_seeing(places: Places) -> QuerySet[User]:
    """Return the users who can be chosen for a record at these places."""
    users = list_users()
    for rule in _rules:
        users = users.filter(rule.build(places))
    return users


def read_places(*, shape: ObjectShape, record: Any) -> dict[type[Model], Any]:
    """Return the places that a record names, and the record itself if it is one that is stored."""
    model = type(record)
    places: dict[type[Model], Any] = {}
    for each in list_place_fields(shape):
        if each.reference is not None and (named := getattr(record, each.attribute, None)) is not None:
            places[each.reference] = named.uid
    is_stored = not record._state.adding  # noqa: SLF001  Django's documented API
    if is_stored and any(model in rule.models for rule in _rules):
        places[model] = record.uid
    return places


def list_fitting(*, shape: ObjectShape, chosen: Mapping[str, Any]) -> QuerySet[User]:
    """Return the users who can be chosen beside what is chosen: API name of a reference → uid."""
    return list_users_seeing(
        {
            each.reference: chosen[each.api_name]
            for each in list_place_fields(shape)
            if each.reference is not None and chosen.get(each.api_name)
        }
    )


def list_unfit(*, shape: ObjectShape, named: Iterable[tuple[Any, User]]) -> set[tuple[Any, Any]]:
    """Return which pairs of a record and a user do not fit, by their uids; a statement for each place."""
    by_place: dict[tuple[tuple[type[Model], Any], ...], list[tuple[Any, User]]] = {}
    for record, user in named:
        places = read_places(shape=shape, record=record)
        by_place.setdefault(tuple(places.items()), []).append((record, user))
    unfit = set()
    for places_of, pairs in by_place.items():
        asked = {user.pk for _, user in pairs}
        seeing = set(list_users_seeing(dict(places_of)).filter(pk__in=asked).values_list("pk", flat=True))
        unfit |= {(record.uid, user.uid) for record, user in pairs if user.pk not in seeing}
    return unfit


def explain_unfit(user: User) -> str:
    """Return why a user cannot be chosen, and what to do."""
    if user.is_service_account:
        return f"{user} is the account of a program, which sees to nothing. Choose a person."
    return f"{user} does not see this study, country or site, or is not active. Choose somebody else, or ask an admin."


def search_users(*, users: QuerySet[User], query: str) -> QuerySet[User]:
    """Return those users of whom each word of a query is in the name, the user name or the e-mail address."""
    for word in query.split()[:_MOST_WORDS]:
        users = users.filter(
            Q(first_name__folded_contains=word)
            | Q(last_name__folded_contains=word)
            | Q(username__folded_contains=word)
            | Q(email__folded_contains=word)
        )
    return users


def list_meanings(user: User) -> set[str]:
    """Return the texts that mean a user, in lower case: as pages show the user, user name and e-mail address."""
    texts = (str(user), user.display_contact, user.username, user.email)
    return {text.casefold() for text in texts if text}


def find_users(*, users: QuerySet[User], text: str) -> list[User]:
    """Return the users whom a text means."""
    words = text.replace("(", " ").replace(")", " ")
    return [each for each in search_users(users=users, query=words) if text.casefold() in list_meanings(each)]
