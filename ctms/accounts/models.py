"""Users, what their security profile lets them do, and the API tokens with which programs act as them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models, transaction

from ctms.accounts.policies import allows_django_module, allows_django_permission
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.fields import EncryptedTextField
from ctms.core.models import AuditedModel

SYSTEM_USERNAME = "system"


class Theme(models.TextChoices):
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"
    __empty__ = "As the system"


class SecurityProfile(AuditedModel):
    """A named set of permissions.

    A permission reads `<object API name>:<create|read|edit|delete>` or `admin:<area>`;
    `<object>.<object type>:<action>` narrows it to one object type.
    """

    name = models.CharField(max_length=128, unique=True)
    api_name = models.CharField("API name", max_length=80, unique=True)
    status = models.CharField(max_length=20, choices=RecordStatus.choices, default=RecordStatus.ACTIVE)
    description = models.CharField(max_length=500, blank=True, default="")
    permissions = models.JSONField(default=list, blank=True)
    sees_all_studies = models.BooleanField(
        default=False, help_text="Otherwise its users see only the studies that they are assigned to."
    )

    object_name = "admin:security"

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        # With a text instead of a list, `in` would find every part of a permission's name.
        if not isinstance(self.permissions, list) or not all(isinstance(name, str) for name in self.permissions):
            raise ValidationError({"permissions": 'Enter a list of permissions, e.g. ["study__v:read"].'})


class User(AbstractUser):
    """A person who logs in, or the user *System*, whom jobs write as."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    security_profile = models.ForeignKey(
        SecurityProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="users"
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(max_length=10, choices=Theme.choices, blank=True, default="")
    without_shortcuts = models.BooleanField("no single-key shortcuts", default=False)

    object_name = "admin:security"

    class Meta(AbstractUser.Meta):
        ordering = ("last_name", "first_name", "username")

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def display_contact(self) -> str:
        """Return `First Last (email)`; an activity shows its author so in *From*."""
        name = self.get_full_name() or self.username
        return f"{name} ({self.email})" if self.email else name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; a password that was set ends the user's API tokens, whoever set it and by whatever way.

        Django keeps the text of a new password until it is saved, and not of one that is merely hashed anew.
        """
        is_new_password = self._password is not None  # type: ignore[attr-defined]
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new_password:
                self.api_tokens.filter(revoked_at__isnull=True).update(revoked_at=get_now())

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Whether the security profile grants a permission that Django names `app.action_model`.

        Permissions of Django's own, of the user or of a group, grant nothing.
        """
        return self._is_active_superuser or allows_django_permission(user=self, permission=perm)

    def has_module_perms(self, app_label: str) -> bool:
        return self._is_active_superuser or allows_django_module(user=self, app_label=app_label)

    @property
    def _is_active_superuser(self) -> bool:
        return self.is_active and self.is_superuser


class ApiToken(models.Model):
    """A token of the REST API. Only its digest is stored; the token itself is shown once, when it is created."""

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("user", "name"),
                condition=models.Q(revoked_at__isnull=True),
                name="api_token_named_once",
                violation_error_message="Name: you have a token of this name. Choose another, or revoke that one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"


class SecondFactor(AuditedModel):
    """The authenticator app of a user: its secret, and the digests of the recovery codes that are left."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="second_factor")
    secret = EncryptedTextField()
    # Half minutes since 1970 of the last code that was right: no code is right twice.
    last_step = models.BigIntegerField(default=0, editable=False)
    recovery_digests = models.JSONField(default=list, blank=True, editable=False)

    object_name = "admin:security"
    bookkeeping_fields = AuditedModel.bookkeeping_fields | {"last_step", "recovery_digests"}

    class Meta:
        verbose_name = "second factor"
        ordering = ("user__username",)

    def __str__(self) -> str:
        return f"Second factor of {self.user}"


class OidcIdentity(models.Model):
    """The identity of an OpenID Connect provider that a user logs in with; `subject` is the provider's own id."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="oidc_identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("issuer", "subject"), name="oidc_identity_of_one_user"),
            models.UniqueConstraint(fields=("issuer", "user"), name="oidc_one_identity_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class FailedLogIn(models.Model):
    """A wrong password, kept for as long as it counts for the lock-out; see `lockout.py`."""

    username = models.CharField(max_length=150, help_text="As it was typed, in small letters; no user may have it.")
    address = models.CharField(max_length=50, blank=True, help_text="Of IPv6, the network.")
    at = models.DateTimeField("time (UTC)", db_index=True)

    object_name = "admin:security"

    class Meta:
        verbose_name = "failed log-in"
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("address", "-at"), name="failed_log_in_address"),)

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
