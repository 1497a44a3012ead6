"""Users, what their security profile lets them do, their sessions, and the API tokens of programs that act as them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password, make_password
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.dispatch import Signal

from ctms.accounts.policies import allows_django_module, allows_django_permission, list_django_permissions
from ctms.accounts.reach import TokenReach
from ctms.accounts.usernames import clean_username, hold_usernames, require_distinct
from ctms.core.append_only import AppendOnlyModel
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_now
from ctms.core.fields import EncryptedTextField
from ctms.core.models import AuditedModel
from ctms.core.tracking import TrackedModel, TrackedQuerySet

# Sent in the transaction in which users got a new password or were deactivated; `keys` are their primary keys.
users_locked_out = Signal()

SYSTEM_USERNAME = "system"
DIGEST_HOUR = 7
_PUBLIC_ID_LENGTH = 16


class Theme(models.TextChoices):
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"
    __empty__ = "As the system"


class TokenScope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"


class FeedContents(models.TextChoices):
    MINE = "mine", "What is mine"
    STUDIES = "studies", "All of my studies"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingConnection:
    """The connection whose CRM makes a request in a user's name: a row of the object `object_name`."""

    pk: int
    uid: uuid.UUID
    object_name: str


class UserQuerySet(TrackedQuerySet["User"]):
    """Users: each change counts their version up.

    A new password and a deactivation end sessions, API tokens, the calendar feed and the invitation.
    """

    def update(self, **kwargs: Any) -> int:
        if "version" in kwargs:
            raise ValueError("version: counted up by every change, never set.")
        return super().update(**kwargs)

    def _update(self, values: Any) -> int:
        # A user who was read before another change would be saved with the version of then.
        return super()._update([each for each in values if each[0].name != "version"])

    def _insert(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic(using=self.db):
            for each in objs:
                each.username = clean_username(each.username)
            self._require_distinct(list(objs))
            return super()._insert(objs, *args, **kwargs)

    def _require_distinct(self, users: Sequence[Any]) -> None:
        """Refuse usernames that others have, or that could not be told from theirs. The transaction holds the names."""
        hold_usernames()
        others = self.model._base_manager.exclude(pk__in=[each.pk for each in users if each.pk])
        taken = others.order_by().values_list("username", flat=True)
        require_distinct(usernames=[each.username for each in users], taken=taken)

    def follow_changes(self, changed: Sequence[tuple[Any, Any]]) -> None:
        users = self.model._base_manager.filter(pk__in=[after.pk for _, after in changed])
        renamed = [after for before, after in changed if before.username != after.username]
        if renamed:
            for each in renamed:
                clean_username(each.username)
            self._require_distinct(renamed)
        models.QuerySet.update(users, version=models.F("version") + 1)
        locked_out = [
            after.pk
            for before, after in changed
            if before.password != after.password or (before.is_active and not after.is_active)
        ]
        # Whoever has the link got it at the old address.
        moved = [after.pk for before, after in changed if before.email != after.email]
        models.QuerySet.update(users.filter(pk__in=moved), invitation_digest=None, invited_until=None)
        if locked_out:
            models.QuerySet.update(users.filter(pk__in=locked_out), invitation_digest=None, invited_until=None)
            UserSession.objects.filter(user__in=locked_out).delete()
            users_locked_out.send(sender=self.model, keys=locked_out)
            for secrets in (ApiToken, CalendarFeed):
                secrets.objects.filter(user__in=locked_out, revoked_at__isnull=True).update(revoked_at=get_now())

    def hash_password_anew(self, raw_password: str) -> str:
        """Store a password that is as before under the present way of hashing; return the hash. No change of a user."""
        encoded = make_password(raw_password)
        models.QuerySet.update(self, password=encoded)
        return encoded


class VaultUserManager(UserManager["User"]):
    """Django's manager of users over `UserQuerySet`."""

    use_in_migrations = False

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)


class User(TrackedModel, AbstractUser):
    """A person who logs in, a service account, whom a program acts as, or the user *System*, whom jobs write as.

    A service account has an owner, who is responsible for it, and a purpose. It cannot log in, and is sent nothing: it
    has neither password nor e-mail address.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    security_profile = models.ForeignKey(
        SecurityProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="users"
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    # Until then the pages offer that of the browser, if it is another one.
    has_settled_time_zone = models.BooleanField(default=False, db_default=False, editable=False)
    digest_hour = models.PositiveSmallIntegerField(
        "daily digest",
        null=True,
        blank=True,
        default=DIGEST_HOUR,
        db_default=DIGEST_HOUR,
        validators=[MaxValueValidator(23)],
        help_text="The hour (0–23) of the e-mail of what is due, by the user's time zone. Empty: it is not sent.",
    )
    theme = models.CharField(max_length=10, choices=Theme.choices, blank=True, default="")
    has_compact_lists = models.BooleanField("compact lists", default=False)
    without_shortcuts = models.BooleanField("no single-key shortcuts", default=False)
    must_change_password = models.BooleanField(
        default=False,
        help_text="Until then, the user gets to no other page. Set with every password that an admin sets.",
    )
    invitation_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001  null: many have none, and the others are unique
    invited_until = models.DateTimeField("invitation valid until", null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects: ClassVar[VaultUserManager] = VaultUserManager()
    # Set on the user of a request that another system makes in their name; it limits what they see.
    calling_for: CallingConnection | None = None
    # Set on the user of a request that is made with an API token; it limits what they see and do.
    reach: TokenReach | None = None
    service_owner = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="service_accounts",
        verbose_name="owner",
        help_text="Who is responsible for the service account, and is told before its tokens end.",
    )
    service_purpose = models.CharField(
        "purpose",
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="Which program uses the service account, and what for.",
    )
    valid_until = models.DateField(
        null=True, blank=True, help_text="The last day (UTC) on which the user may log in. Empty: no end."
    )

    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="Who is inactive cannot log in; what they did stays. Users are never deleted.",
    )
    is_staff = models.BooleanField("staff status", default=False, help_text="Staff may open this admin console.")
    is_superuser = models.BooleanField(
        "superuser status",
        default=False,
        help_text="A superuser may do everything, whatever the security profile says. For emergencies.",
    )

    # Only the security profile says what a user may do, so users have none of Django's groups and permissions.
    groups = None  # type: ignore[assignment]  # Django's way to leave out a field of an abstract model
    user_permissions = None  # type: ignore[assignment]

    object_name = "admin:security"
    audit_name = "accounts.user"
    bookkeeping_fields = frozenset(
        {
            "id",
            "uid",
            "version",
            "last_login",
            "date_joined",
            "invitation_digest",
            "invited_until",
            "has_settled_time_zone",
        }
    )
    secret_fields = frozenset({"password"})
    never_deleted = (
        "Users are never deleted, because records and the audit trail name them. Deactivate the user instead."
    )

    class Meta(AbstractUser.Meta):
        ordering = ("last_name", "first_name", "username")
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(digest_hour__isnull=True) | models.Q(digest_hour__lte=23),
                name="digest_hour_of_a_day",
                violation_error_message="Daily digest: choose an hour of the day, or none.",
            ),
            models.CheckConstraint(
                condition=models.Q(service_owner__isnull=True)
                | models.Q(
                    ~models.Q(service_purpose=""),
                    email="",
                    password__startswith=UNUSABLE_PASSWORD_PREFIX,
                    is_staff=False,
                    is_superuser=False,
                    must_change_password=False,
                    digest_hour__isnull=True,
                    invitation_digest__isnull=True,
                ),
                name="service_account_cannot_log_in",
                violation_error_message="A service account has a purpose, and neither password, e-mail address, daily "
                "digest, invitation nor the console.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def clean(self) -> None:
        super().clean()
        others = dict(type(self).objects.order_by().values_list("pk", "username"))
        if others.pop(self.pk, None) != self.username:
            self.username = clean_username(self.username)
            require_distinct(usernames=[self.username], taken=others.values())

    @property
    def display_contact(self) -> str:
        """Return `First Last (email)`; an activity shows its author so in *From*."""
        name = self.get_full_name() or self.username
        return f"{name} ({self.email})" if self.email else name

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password; one that is hashed in an old way is hashed anew, which is no change of it."""

        def hash_anew(raw: str) -> None:
            self.password = type(self).objects.get_queryset().filter(pk=self.pk).hash_password_anew(raw)

        return check_password(raw_password, self.password, hash_anew)

    @property
    def is_service_account(self) -> bool:
        """Whether the user is no person, but whom a program acts as."""
        return self.service_owner_id is not None

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
        is_narrowed = self.reach is not None and self.reach.is_narrowed
        return self.is_active and self.is_superuser and not self.has_ended and not is_narrowed


class ApiToken(TrackedModel):
    """A token of the REST API. Only its digest is stored; the token itself is shown once, when it is created.

    Its scope, objects and studies narrow what its user may do; they never widen it. Empty ones are all. It is taken
    only from its networks, and none is every address.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=10, choices=TokenScope.choices, default=TokenScope.READ)
    object_names = models.JSONField("objects", null=True, blank=True)
    study_uids = models.JSONField("studies", null=True, blank=True)
    networks = models.JSONField("addresses", null=True, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    # The token that it was made to replace, which stays valid for some days.
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replacement", editable=False
    )
    # When its owner is to be told that it ends; empty for nobody, and once they were.
    notice_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TrackedQuerySet.as_manager()

    object_name = "admin:security"
    audit_name = "records.api_token"
    bookkeeping_fields = frozenset({"id", "uid", "digest", "created_at", "last_used_at", "notice_due_at"})
    never_deleted = "API tokens are never deleted, because the audit trail names them. Revoke the token instead."

    class Meta:
        verbose_name = "API token"
        ordering = ("-created_at", "-id")
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("user", "name"),
                condition=models.Q(revoked_at__isnull=True),
                name="api_token_named_once",
                violation_error_message="Name: you have a token of this name. Choose another, or revoke that one.",
            ),
            models.CheckConstraint(
                condition=models.Q(scope__in=TokenScope.values),
                name="api_token_scope",
                violation_error_message="Scope: choose Read, or Read and write.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"


class CalendarFeed(TrackedModel):
    """The address at which a calendar program reads the calendar of a user. A user has one at most that is not revoked.

    Only the digest of the secret in the address is stored; the address itself is shown once, when it is created.
    """

    uid = models.UUIDField("UID", default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="calendar_feeds")
    contents = models.CharField(max_length=10, choices=FeedContents.choices, default=FeedContents.MINE)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TrackedQuerySet.as_manager()

    object_name = "admin:security"
    audit_name = "records.calendar_feed"
    bookkeeping_fields = frozenset({"id", "uid", "digest", "created_at", "last_used_at"})
    never_deleted = "Calendar feeds are never deleted, because the audit trail names them. Revoke the feed instead."

    class Meta:
        ordering = ("-created_at", "-id")
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("user",),
                condition=models.Q(revoked_at__isnull=True),
                name="one_calendar_feed_per_user",
                violation_error_message="You have an address already. Load the page again.",
            ),
            models.CheckConstraint(
                condition=models.Q(contents__in=FeedContents.values),
                name="calendar_feed_contents",
                violation_error_message="Contents: choose what is yours, or all of your studies.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_contents_display()}"


class UserSession(AbstractBaseSession):
    """The session of a browser; see `sessions`. `user` is empty while nobody is logged in."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    begun_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True, default="")
    browser = models.CharField(max_length=60, blank=True, default="")

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    def __str__(self) -> str:
        told = ", ".join(text for text in (self.browser, self.address) if text)
        return f"begun {format_time(self.begun_at)}{f' ({told})' if told else ''}"

    @property
    def public_id(self) -> str:
        """Return what names the session on pages, where its key, which opens it, must not be."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:_PUBLIC_ID_LENGTH]


class LastUse(models.Model):
    """When a user used the Vault last, in whatever session; it stays when the session is gone."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="+")
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user}: {format_time(self.used_at)}"


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
