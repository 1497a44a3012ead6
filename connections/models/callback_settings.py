"""In whose name an organisation may call the Vault back, and for how long; see connections/callbacks.py."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from ctms.accounts.models import TokenScope

MAX_CALLBACK_MINUTES = 120

# An own header cannot displace one that carries the call itself.
validate_callback_header = RegexValidator(
    r"^X-[A-Za-z0-9]+(-[A-Za-z0-9]+)*\Z",
    "Call-back header: begin with X-, then letters, digits and single hyphens, e.g. X-Vault-Session.",
)


class CallbackFields(models.Model):
    """The Authorized Connection User of a connection, and what its call-back sessions may."""

    authorized_connection_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="Authorized Connection User",
        help_text="The user in whose name this CRM may call the Vault back. Empty: it may not.",
    )
    callback_minutes = models.PositiveSmallIntegerField(
        "call-back sessions last",
        default=15,
        db_default=15,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CALLBACK_MINUTES)],
        help_text=f"minutes, 1 to {MAX_CALLBACK_MINUTES}",
    )
    callback_scope = models.CharField(
        "call-back sessions may",
        max_length=10,
        choices=TokenScope.choices,
        default=TokenScope.READ,
        db_default=TokenScope.READ,
        help_text="within the security profile and the studies of the Authorized Connection User",
    )
    callback_header = models.CharField(
        "call-back header",
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[validate_callback_header],
        help_text="Request header in which each run hands its call-back session to the CRM, such as X-Vault-Session. "
        "Empty: only field rules of the kind “Call-back session” do.",
    )
    # The organisation for which somebody who may has authorised the user; empty without one.
    callback_origin = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)

    class Meta:
        abstract = True


CALLBACK_CONSTRAINTS = [
    models.CheckConstraint(
        condition=Q(callback_minutes__gte=1) & Q(callback_minutes__lte=MAX_CALLBACK_MINUTES),
        name="callback_minutes_in_bounds",
    ),
    models.CheckConstraint(condition=Q(callback_scope__in=TokenScope.values), name="callback_scope_is_known"),
]
