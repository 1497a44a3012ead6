"""Whether a connection is paused, by whom and why; see crm_sync/actions/pausing.py."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class PauseFields(models.Model):
    """A paused connection stays Active: nothing is transferred until it is resumed."""

    paused_at = models.DateTimeField("paused date", null=True, blank=True, editable=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    pause_reason = models.CharField(max_length=500, blank=True, default="", editable=False)

    class Meta:
        abstract = True


PAUSE_CONSTRAINTS = [
    models.CheckConstraint(
        condition=Q(paused_at=None, pause_reason="") | (Q(paused_at__isnull=False) & ~Q(pause_reason="")),
        name="connection_is_paused_for_a_reason",
    ),
]
