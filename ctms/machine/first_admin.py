"""The first admin of a new Vault: asked for in the terminal, or taken from the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from getpass import getpass

from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection

from ctms.accounts.models import SYSTEM_USERNAME, SecurityProfile, User
from ctms.audit.actors import build_system_actor
from ctms.audit.users import save_user
from ctms.configuration.profiles import VAULT_OWNER
from ctms.core.errors import VaultError
from ctms.settings.environment import take_secret

NAME, EMAIL, PASSWORD = "VAULT_ADMIN_NAME", "VAULT_ADMIN_EMAIL", "VAULT_ADMIN_PASSWORD"

LONGEST_NAME = 150  # of a first and of a last name, as Django stores them


class FirstAdminError(VaultError):
    """The first admin cannot be created; the message says what is wrong, and where it is entered."""


class RefusedAnswerError(FirstAdminError):
    """One answer is refused. Who was asked for it sees the remedy alone; else the message names the variable, too."""

    def __init__(self, *, label: str, remedy: str) -> None:
        super().__init__(f"{label}: {remedy}")
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Who the first admin is. The password never comes from the command line, which others on the machine can read."""

    name: str
    email: str
    password: str = field(repr=False)


def is_without_users() -> bool:
    """Whether nobody can log in yet: the user *System* writes, and never logs in. Nor before the first migration."""
    if User._meta.db_table not in connection.introspection.table_names():
        return True
    return not User.objects.exclude(username=SYSTEM_USERNAME).exists()


def read_answers(*, name: str = "", email: str = "") -> Answers:
    """Return name, e-mail address and password: those given, those of the environment, else as asked for here.

    The environment loses the password: no process that is started later inherits it. Raises FirstAdminError for what
    is refused, and for what is missing where nobody can be asked.
    """
    try:
        password = take_secret(PASSWORD)
    except ValueError as error:
        raise FirstAdminError(str(error)) from None
    name, email = name or os.environ.get(NAME, ""), email or os.environ.get(EMAIL, "")
    if name and email and password:
        return Answers(name=_clean_name(name), email=_clean_email(email), password=_clean_new(password, name, email))
    if not sys.stdin.isatty():
        given = {NAME: name, EMAIL: email, PASSWORD: password}
        lacking = ", ".join(variable for variable, value in given.items() if not value)
        raise FirstAdminError(
            f"This Vault is new and needs its first admin, and nobody can be asked here. Set {lacking} in the "
            "environment, or start it in a terminal."
        )
    print("This Vault is new. Who is its first admin?", flush=True)  # noqa: T201  a question in the terminal
    name = _ask("Name: ", given=name, clean=_clean_name)
    email = _ask("E-mail address, which is the username, too: ", given=email, clean=_clean_email)
    if not password:
        print("\n".join(f"  {each}" for each in password_validators_help_texts()), flush=True)  # noqa: T201
    return Answers(name=name, email=email, password=_ask_password(given=password, name=name, email=email))


def create_first_admin(answers: Answers) -> User:
    """Write the first admin, as *System*: a superuser with the security profile *Vault Owner*."""
    user = _build_user(name=answers.name, email=answers.email)
    user.set_password(answers.password)
    user.security_profile = SecurityProfile.objects.get(api_name=VAULT_OWNER)
    user.is_staff = user.is_superuser = True
    try:
        user.full_clean(exclude=("password",))
        save_user(user=user, actor=build_system_actor(source="command", reference="vault"))
    except ValidationError as error:
        raise FirstAdminError(f"The first admin was not created: {' '.join(error.messages)}") from error
    return user


def _build_user(*, name: str, email: str) -> User:
    first, _, last = name.rpartition(" ")
    return User(username=email, email=email, first_name=first, last_name=last)


# -- What is accepted -----------------------------------------------------------------------------
def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned:
        raise RefusedAnswerError(label=f"Name ({NAME})", remedy="Enter one, such as Ada Adams.")
    first, _, last = cleaned.rpartition(" ")
    if max(len(first), len(last)) > LONGEST_NAME:
        raise RefusedAnswerError(
            label=f"Name ({NAME})", remedy=f"First and last names have at most {LONGEST_NAME} characters."
        )
    return cleaned


def _clean_email(email: str) -> str:
    cleaned = email.strip()
    try:
        validate_email(cleaned)
        User(username=cleaned).clean_fields(exclude=[f.name for f in User._meta.fields if f.name != "username"])
    except ValidationError:
        raise RefusedAnswerError(
            label=f"E-mail address ({EMAIL})", remedy=f"{email!r} is none. Enter one, such as ada@example.com."
        ) from None
    return cleaned


def _clean_new(password: str, name: str, email: str) -> str:
    try:
        validate_password(password, user=_build_user(name=name, email=email))
    except ValidationError as error:
        remedy = f"{' '.join(error.messages)} Choose another one."
        raise RefusedAnswerError(label=f"Password ({PASSWORD})", remedy=remedy) from None
    return password


# -- Asking ---------------------------------------------------------------------------------------
def _ask(question: str, *, given: str, clean: Callable[[str], str]) -> str:
    """Ask until an answer is accepted; what was given with the command is not asked for."""
    if given:
        return clean(given)
    while True:
        try:
            return clean(input(question))
        except RefusedAnswerError as error:
            print(error.remedy, flush=True)  # noqa: T201


def _ask_password(*, given: str, name: str, email: str) -> str:
    if given:
        return _clean_new(given, name, email)
    while True:
        password = getpass("Password (it is not shown): ")
        try:
            _clean_new(password, name, email)
        except RefusedAnswerError as error:
            print(error.remedy, flush=True)  # noqa: T201
            continue
        if getpass("The same password again: ") == password:
            return password
        print("The two passwords differ.", flush=True)  # noqa: T201
