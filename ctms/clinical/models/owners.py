"""Records that somebody owns: whoever is to see to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models

from ctms.configuration.study_record import StudyRecord, attach_references


class OwnedRecord(StudyRecord):
    """A record of a study with an owner, a user.

    A new record at a site belongs to the owner of the site; any other to the person who makes it. What a job or a
    program makes has no owner unless its site has one: nobody would see to it.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        abstract = True

    @classmethod
    def fill_new(cls, records: Sequence[Any], *, user: Any) -> None:
        super().fill_new(records, user=user)
        ownerless = [each for each in records if each.owner_id is None and each.takes_owner]
        attach_references(ownerless, names=["site"])
        for each in ownerless:
            of_site = each.site.owner_id if each.site_id is not None else None
            if of_site is not None:
                each.owner_id = of_site
            elif user.is_active and not user.is_service_account:
                each.owner = user

    @property
    def takes_owner(self) -> bool:
        """Whether a new record of this kind gets an owner by itself."""
        return True
