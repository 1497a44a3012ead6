"""How a connection spends the API calls of its organisation: how long, how many at once, how often, what share."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from connections.choices import Pace


class CallLimitFields(models.Model):
    """Time limits of a call, calls at once, the share of the daily calls, and how soon what is saved is sent."""

    connect_timeout = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(60)], help_text="seconds"
    )
    read_timeout = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(300)], help_text="seconds"
    )
    concurrency = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(1), MaxValueValidator(10)], help_text="requests at once"
    )
    quota_percent = models.PositiveSmallIntegerField(
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="share of the organisation's daily API calls at which a transfer stops",
    )
    pace = models.CharField(
        "transfer",
        max_length=20,
        choices=Pace.choices,
        default=Pace.HOURLY,
        help_text="As it happens: what is saved is sent within seconds, calls are fetched every minute. It costs up "
        "to 4,320 API calls a day while nothing happens, and a few more for each batch that is sent; when the daily "
        "calls of the organisation run short, it goes back to hourly by itself until they return.",
    )

    class Meta:
        abstract = True
