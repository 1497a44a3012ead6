"""Checks usernames and passwords, as often as the lock-out allows."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from ctms.accounts.addresses import get_client_address
from ctms.accounts.lockout import begin_attempt, forget_failures, note_failure
from ctms.accounts.models import User
from ctms.core.rate_limits import count_request


class PasswordBackend(ModelBackend):
    """Django's backend with limits. Raises TooManyRequestsError instead of checking a password too many."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        if request is None or username is None or password is None:
            user = super().authenticate(request, username=username, password=password, **kwargs)
            return user if isinstance(user, User) else None
        address = get_client_address(request)
        count_request(scope="log_in", key=address)
        attempt = begin_attempt(username=username, address=address)
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if not isinstance(user, User):
            note_failure(attempt)
            return None
        forget_failures(attempt)
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        """Whether the user may log in, by whatever way, and go on in a session: service accounts never may."""
        return super().user_can_authenticate(user) and not getattr(user, "is_service_account", False)
