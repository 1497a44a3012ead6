"""Creates the users of the Vault with their security profiles, and writes the file with their log-ins."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crm_sync.demo.dataset.crm import IntegrationLogin, OrganisationPlan
from crm_sync.demo.dataset.names import build_slug
from crm_sync.demo.dataset.trials import TRIALS
from ctms.accounts.models import SecurityProfile, User
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.services import create_records
from ctms.audit.users import save_user
from ctms.clinical.choices import AssignmentRole
from ctms.clinical.models import Study, StudyAssignment
from ctms.configuration.profiles import CRA, INSPECTOR, STUDY_MANAGER, VAULT_OWNER

CRA_STUDIES = ("HVT118-301", "HVT214-301", "HVT441-301", "HVT712-201")
INSPECTED_STUDIES = CRA_STUDIES[:2]
INSPECTION_DAYS = 365
ADMIN_USERNAME = "admin"
# They write activities and cannot log in.
COLLEAGUES = (
    ("Noor", "Haddad"),
    ("Tomasz", "Zieliński"),
    ("Gabriela", "Montenegro"),
    ("Kenji", "Watanabe"),
    ("Siân", "Prosser"),
    ("Olivier", "Dubois"),
)


_PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class _Role:
    label: str
    username: str
    first_name: str
    last_name: str
    profile: str


_ROLES = (
    _Role("Admin", ADMIN_USERNAME, "Helena", "Brandt", VAULT_OWNER),
    _Role("Study manager", "study.manager", "Matteo", "Ferrari", STUDY_MANAGER),
    _Role("CRA", "cra", "Anneli", "Söderström", CRA),
    _Role("Inspector", "inspector", "Ingrid", "Vasquez", INSPECTOR),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One entry of the file of log-ins. `password` and the values of `details` are secrets."""

    role: str
    username: str
    password: str = field(repr=False)
    details: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """The users of the demonstration, and the log-ins of the four who can log in."""

    admin: User
    study_manager: User
    cra: User
    inspector: User
    colleagues: list[User]
    logins: list[Login]

    @property
    def actor(self) -> Actor:
        """The administrator, who is the actor of the demonstration's set-up."""
        return Actor(user=self.admin, source="command", reference="demo")


def create_users(*, today: dt.date) -> Users:
    """Write the users with delivered security profiles, as *System*. The inspector's account has a last day."""
    actor = build_system_actor(source="command", reference="demo")
    profiles = {profile.api_name: profile for profile in SecurityProfile.objects.all()}
    made, logins = [], []
    for role in _ROLES:
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        user = _build_user(role.username, first_name=role.first_name, last_name=role.last_name, password=password)
        user.is_superuser = role.username == ADMIN_USERNAME
        user.is_staff = role.profile != CRA  # exceptions of the transfer and the audit trail are in the console
        if role.profile == INSPECTOR:
            user.valid_until = today + dt.timedelta(days=INSPECTION_DAYS)
        user.security_profile = profiles[role.profile]
        made.append(user)
        logins.append(Login(role=role.label, username=role.username, password=password))
    colleagues = []
    for first_name, last_name in COLLEAGUES:
        username = build_slug(first_name=first_name, last_name=last_name)
        user = _build_user(username, first_name=first_name, last_name=last_name, password=None)
        user.security_profile = profiles[CRA]
        colleagues.append(user)
    for user in (*made, *colleagues):
        save_user(user=user, actor=actor)
    admin, study_manager, cra, inspector = made
    return Users(
        admin=admin,
        study_manager=study_manager,
        cra=cra,
        inspector=inspector,
        colleagues=colleagues,
        logins=logins,
    )


def assign_studies(*, users: Users, studies: dict[str, Study]) -> dict[str, list[User]]:
    """Assign four studies to the CRA and the study manager, two to the inspector, and some to every colleague.

    Return by number who works at the sites of each study, which manager and inspector do not.
    """
    by_study: dict[str, list[User]] = {}
    count = len(users.colleagues)
    for position, trial in enumerate(trial for trial in TRIALS if trial.countries):
        team = [users.colleagues[position % count], users.colleagues[(position + 2) % count]]
        by_study[trial.number] = [users.cra, *team] if trial.number in CRA_STUDIES else team
    create_records(
        records=[
            StudyAssignment(user=user, study=studies[number], role=AssignmentRole.CRA)
            for number, team in by_study.items()
            for user in team
        ]
        + [
            StudyAssignment(user=users.study_manager, study=studies[number], role=AssignmentRole.STUDY_MANAGER)
            for number in by_study
            if number in CRA_STUDIES
        ]
        + [
            StudyAssignment(user=users.inspector, study=studies[number], role=AssignmentRole.OTHER)
            for number in INSPECTED_STUDIES
        ],
        actor=users.actor,
    )
    return by_study


def build_integration_login(*, plan: OrganisationPlan, login: IntegrationLogin) -> Login:
    """Return the entry with the integration user's log-in, for people who try the CRM's API themselves."""
    return Login(
        role=f"CRM {plan.label} API",
        username=login.username,
        password=login.password,
        details={"consumer_key": login.consumer_key, "consumer_secret": login.consumer_secret},
    )


def replace_passwords() -> list[Login]:
    """Set new passwords and return the log-ins with them, for when the file with the old ones is lost."""
    actor = build_system_actor(source="command", reference="demo")
    logins = []
    for role in _ROLES:
        user = User.objects.filter(username=role.username).first()
        if user is None:  # data that an earlier version has loaded, which knew fewer users
            continue
        login = Login(role=role.label, username=role.username, password=secrets.token_urlsafe(_PASSWORD_BYTES))
        user.set_password(login.password)
        save_user(user=user, actor=actor, fields=["password"])
        logins.append(login)
    return logins


def write_logins(*, logins: Sequence[Login], path: Path) -> None:
    """Replace the file of log-ins in one step by one that only its owner can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(
            [
                {"role": login.role, "username": login.username, "password": login.password, **login.details}
                for login in logins
            ],
            handle,
            indent=2,
        )
    draft.replace(path)


def _build_user(username: str, *, first_name: str, last_name: str, password: str | None) -> User:
    user = User(
        username=username,
        first_name=first_name,
        last_name=last_name,
        email=f"{build_slug(first_name=first_name, last_name=last_name)}@example.com",
    )
    user.set_password(password)  # None: nobody can log in as this user
    return user
