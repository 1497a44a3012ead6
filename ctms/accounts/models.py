"""Users, what their security profile lets them do, and the API tokens with which programs act as them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models, transaction

from ctms.accounts.policies import allows_django_module, allows_django_permission, list_django_permissions
from ctms.core.append_only import AppendOnlyModel
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
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

    log_views = models.BooleanField(
        "notes what is looked at",
        default=False,
        help_text="Every page that its users open is noted, with the record and the time: Logs > Page Views.",
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
    valid_until = models.DateField(
        null=True, blank=True, help_text="The last day (UTC) on which the user may log in. Empty: no end."
    )

    # Only the security profile says what a user may do, so users have none of Django's groups and permissions.
    groups = None  # type: ignore[assignment]  # Django's way to leave out a field of an abstract model
    user_permissions = None  # type: ignore[assignment]

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

    @property
    def has_ended(self) -> bool:
        """Whether the last day of the account is over, by UTC."""
        return self.valid_until is not None and self.valid_until < get_now().date()

    @property
    def end_explanation(self) -> str:
        """A sentence for the user of an account that has ended."""
        return f"Your account was valid until {self.valid_until} (UTC). Ask an admin of your Vault to extend it."

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        """Whether the security profile grants a permission that Django names `app.action_model`."""
        return self._may_everything or allows_django_permission(user=self, permission=perm)

    def has_module_perms(self, app_label: str) -> bool:
        return self._may_everything or allows_django_module(user=self, app_label=app_label)

    def get_all_permissions(self, obj: Any = None) -> set[str]:  # noqa: ARG002  Django's signature
        """Return what `has_perm` answers with yes; Django would ask groups."""
        return {name for name in list_django_permissions() if self.has_perm(name)}

    def get_user_permissions(self, obj: Any = None) -> set[str]:  # noqa: ARG002  Django's signature
        return set()

    def get_group_permissions(self, obj: Any = None) -> set[str]:  # noqa: ARG002  Django's signature
        return set()

    @property
    def _may_everything(self) -> bool:
        return self.is_active and self.is_superuser and not self.has_ended


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


class PageView(AppendOnlyModel):
    """One request of a user whose profile says that it is noted. On PostgreSQL a trigger keeps it as it is."""

    at = models.DateTimeField("time (UTC)", default=get_now, db_index=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="page_views")
    method = models.CharField(max_length=10)
    address = models.CharField(max_length=500)
    status = models.PositiveSmallIntegerField("answer", help_text="HTTP status: 200 is a page that was shown.")
    object_name = models.CharField("object", max_length=80, blank=True, default="")
    record_uid = models.UUIDField("record UID", null=True, db_index=True)
    record_name = models.CharField("record", max_length=255, blank=True, default="")

    class Meta:
        ordering = ("-id",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.user}: {self.address}"
