"""Topics of subscriptions: an object and what happens to its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db.models import TextChoices

from ctms.configuration.registry import UnknownObjectError, list_record_objects
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.api.changes.histories import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctms.accounts.models import User

RESET = "reset"


class Topic(TextChoices):
    """What a program subscribes to."""

    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"


# What the feed tells → the topic that it belongs to.
TOPICS = {
    Change.CREATED: Topic.CREATED,
    Change.CAME_INTO_SIGHT: Topic.CREATED,
    Change.CHANGED: Topic.CHANGED,
    Change.DELETED: Topic.DELETED,
    Change.WENT_OUT_OF_SIGHT: Topic.DELETED,
}


def list_topic_choices() -> list[tuple[str, str]]:
    """Return every topic there is with its label, by object."""
    return [
        (f"{each.api_name}.{topic.value}", f"{each.plural_title}: {topic.label.lower()}")
        for each in list_record_objects()
        for topic in Topic
    ]


def list_objects(topics: Sequence[str]) -> list[str]:
    """Return the API names of the objects of these topics."""
    return sorted({each.rpartition(".")[0] for each in topics})


def open_subscribed(*, user: User, object_name: str) -> ObjectAccess | None:
    """Return the user's access to an object; None if the user may not read it, or it is no object any more."""
    try:
        return open_object(user=user, object_name=object_name)
    except (AccessRefusedError, UnknownObjectError):
        return None


def check_topics(*, topics: Sequence[str], user: User) -> None:
    """Raise ValidationError unless there are topics, and the user may read the objects of all of them."""
    known = dict(list_topic_choices())
    if unknown := sorted(set(topics) - set(known)):
        raise ValidationError({"topics": f"{', '.join(unknown)}: there is no such event. Choose from the list."})
    if not topics:
        raise ValidationError({"topics": "Choose at least one event."})
    refused = [name for name in list_objects(topics) if open_subscribed(user=user, object_name=name) is None]
    if refused:
        labels = [each.plural_title for each in list_record_objects() if each.api_name in refused]
        raise ValidationError(
            {"topics": f"{user} may not read {', '.join(labels)}. Leave them out, or choose another user."}
        )
