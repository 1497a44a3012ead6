"""What a reader sees of an object, now and in the past, as far as the audit trail tells.

A record of the past is judged by its study and its object type. Where these do not decide it, such as for a reader who
sees some sites of the study, the answer is that it is not known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q

from ctms.accounts.policies import list_permitted_types, sees_all_studies
from ctms.audit.bookmarks import list_since
from ctms.audit.chain import REDACTED
from ctms.audit.change_sets import WRITES
from ctms.audit.choices import AuditAction
from ctms.configuration.registry import VaultObject, get_object, list_referring_fields
from ctms.configuration.scope import InStudy, NoStudy, StudySight, find_study_path, is_study, read_study_sight

if TYPE_CHECKING:
    from django.db import models

    from ctms.audit.bookmarks import Bookmark
    from ctms.records.access import ObjectAccess

OBJECT_TYPE = "object_type"
_BRINGING = (AuditAction.CREATED, AuditAction.RESTORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a reader sees of an object. `types` is None for every object type, `studies` for every study."""

    vault_object: VaultObject
    types: frozenset[str] | None
    studies: StudySight | None

    @property
    def key(self) -> str:
        """A text that differs whenever other records are seen, though none was changed."""
        said = [sorted(self.types) if self.types is not None else None, self.studies.key if self.studies else None]
        return sha256(json.dumps(said).encode()).hexdigest()

    @property
    def moving_fields(self) -> frozenset[str]:
        """Fields whose change can bring a record into sight, or out of it."""
        return _list_moving(self.vault_object.model)

    def covers(self, *, study: UUID | None, object_type: str | None) -> bool | None:
        """Whether a record of the study and the object type is or was seen; None if that is not known.

        Without `study` or `object_type`, they are not known, or the record was of no study.
        """
        answers = (self._covers_type(object_type), self._covers_study(study))
        if False in answers:
            return False
        return None if None in answers else True

    def _covers_type(self, object_type: str | None) -> bool | None:
        if self.types is None:
            return True
        return object_type in self.types if object_type is not None else None

    def _covers_study(self, study: UUID | None) -> bool | None:
        if self.studies is None or study in self.studies.whole:
            return True
        is_hidden = study is not None and study not in self.studies.limited
        return False if is_hidden else None

    def may_have_moved(self, since: Bookmark) -> bool:
        """Whether a change of others, such as of a site, may have brought records into sight or out of it.

        What `list_brought` lists is left out.
        """
        if self.studies is None:
            return False
        return list_since(since).filter(_build_moves(self.vault_object.model), action__in=WRITES).exists()

    def list_brought(self, since: Bookmark) -> set[UUID]:
        """Return the records that may have come into sight because others that refer to them were created.

        So do persons. Takes a statement for each reference to them.
        """
        if self.studies is None:
            return set()
        brought: set[UUID] = set()
        for name, attribute in _list_bringing(self.vault_object):
            created = list_since(since).filter(object_name=name, action__in=_BRINGING).order_by()
            uids = created.values_list(f"words__{attribute}__after_uid", flat=True).distinct()
            brought.update(UUID(uid) for uid in uids if uid)
        return brought


def read_sight(access: ObjectAccess) -> Sight:
    """Return what the user of `access` sees of its object."""
    types = list_permitted_types(user=access.user, object_name=access.shape.api_name)
    scope = access.vault_object.scope
    is_open = sees_all_studies(user=access.user) or (isinstance(scope, NoStudy) and scope.limit is None)
    return Sight(
        vault_object=access.vault_object,
        types=frozenset(types) if types is not None else None,
        studies=None if is_open else read_study_sight(access.user),
    )


@cache
def _list_moving(model: type[models.Model]) -> frozenset[str]:
    return frozenset({OBJECT_TYPE, *_list_places(model)})


def _list_places(model: type[models.Model]) -> list[str]:
    """Return the references of a model that lead to a study."""
    return [each.name for each in model._meta.concrete_fields if _leads_to_study(each.related_model)]


def _leads_to_study(target: Any) -> bool:
    return isinstance(target, type) and bool(find_study_path(target))


def _list_bringing(vault_object: VaultObject) -> list[tuple[str, str]]:
    """Return object and attribute of the references by which records of no study are seen; none for other objects."""
    if not isinstance(vault_object.scope, NoStudy):
        return []
    referring = list_referring_fields(vault_object)
    return [(other.api_name, field.attribute) for other, field in referring if isinstance(other.scope, InStudy)]


@cache
def _build_moves(model: Any) -> Q:
    """Return the condition for entries about other records that decide which records of the model are seen."""
    moves, known, models_left = Q(pk__in=()), {model}, [model]
    for name, attribute in _list_bringing(get_object(model.object_name)):
        other = get_object(name).model
        # The last record that refers to one may be gone. What is redacted does not tell to whom it refers.
        moves |= Q(object_name=name) & (Q(action=AuditAction.DELETED) | Q(changes__has_key=REDACTED))
        moves |= _is_moved(other, attribute)
        models_left.append(other)
    while models_left:
        for field in models_left.pop()._meta.concrete_fields:
            target: Any = field.related_model
            if target not in known and _leads_to_study(target) and not is_study(target):
                known.add(target)
                models_left.append(target)
                moves |= _is_moved(target)
    return moves


def _is_moved(model: Any, *more: str) -> Q:
    """Return the condition for entries in which references of a record to its place, or these fields, were changed."""
    names = [*_list_places(model), *more, REDACTED]
    return Q(object_name=model.object_name, action=AuditAction.CHANGED, changes__has_any_keys=names)
