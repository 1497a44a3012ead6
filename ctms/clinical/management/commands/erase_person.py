"""The command `manage.py erase_person`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.change_sets import ERASURE
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import Person
from ctms.core.errors import VaultError


class Command(BaseCommand):
    help = "Erases a person on request: replaces the personal values, and forgets their copies. It cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uid", help="UID of the person, the last part of the address of the person's page")
        parser.add_argument("--by", required=True, help="username of whoever answers for it, who may delete persons")
        parser.add_argument("--reason", required=True, help="who asked for the erasure, and when")

    def handle(self, *_args: Any, uid: str, by: str, reason: str, **_options: Any) -> None:
        user = User.objects.select_related("security_profile").filter(username=by, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {by!r}.")
        try:
            person = Person.objects.filter(uid=uid).first()
        except ValidationError:
            person = None
        if person is None:
            raise CommandError(f"There is no person of the UID {uid!r}.")
        actor = Actor(user=user, source="command", reference=ERASURE)
        try:
            erasure = erase_person(person=person, actor=actor, reason=reason)
        except VaultError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The person is now {person}. Copies cleaned: {erasure.rows:,}.")
        numbers = ", ".join(str(each) for each in erasure.entry_ids)
        self.stdout.write(
            f"Entries of the audit trail to be looked at, and redacted where they name the person: {numbers}"
        )
