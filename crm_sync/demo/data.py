"""Loads the data of the demonstration: the records of the Vault, and two CRM organisations in the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random

from django.conf import settings
from django.db import transaction

from activities.models import Activity
from connections.models import Connection
from crm_sync.demo.dataset.crm import (
    CALL_TO_DELETE,
    ORGANISATIONS,
    create_organisation,
    delete_call,
    get_data_file,
    read_integration_login,
)
from crm_sync.demo.dataset.identity import make_uid
from crm_sync.demo.dataset.logbook import DELETED_KEY, EDITED_KEY, Authors, create_activities
from crm_sync.demo.dataset.people import create_population
from crm_sync.demo.dataset.subjects import EDITED_SUBJECT_AFTERWARDS
from crm_sync.demo.dataset.trials import WITHDRAWN_STUDY_NUMBER
from crm_sync.demo.dataset.vault import create_studies, create_teams
from crm_sync.demo.dataset.visits import create_communications, create_events
from crm_sync.demo.logins import (
    ADMIN_USERNAME,
    assign_studies,
    build_integration_login,
    create_users,
    replace_passwords,
    write_logins,
)
from crm_sync.demo.setup import activate_transfer, configure_vault, connect_organisation
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person, Study
from ctms.core.clock import get_now
from ctms.core.errors import VaultError

_SEED = 20_260_401


class DemoDataError(VaultError):
    """The demonstration's data cannot be loaded, or only part of it exists."""


def get_sandbox_directory() -> Path:
    """Return the directory of the organisations' data files."""
    return Path(settings.VAR_DIR) / "crm_sandbox"


def get_logins_path() -> Path:
    """Return the path of the JSON file with all log-ins: a list of objects with `role`, `username`, `password`."""
    return Path(settings.VAR_DIR) / "demo-logins.json"


def load_demo_data() -> None:
    """Fill an empty, migrated Vault and the sandbox. If they are filled, only replace a lost file of log-ins.

    The Vault is written in one transaction, and the files before it ends: an interrupted load leaves no records, and
    the next one replaces the files. Loads on the same day give the same data, except for passwords and secrets.
    Raises DemoDataError for a Vault that holds other records, and if the sandbox's files are missing.
    """
    with transaction.atomic():
        if is_demo_data_loaded():
            _check_files()
            return
        _refuse_other_records()
        _load(now=datetime.combine(get_now().date(), time(), tzinfo=UTC))


def is_demo_data_loaded() -> bool:
    """Whether this Vault has the demonstration's connections, written in one transaction with all its data."""
    urls = [plan.url for plan in ORGANISATIONS]
    return Connection.objects.filter(url__in=urls).count() == len(urls)


def plant_later_changes() -> bool:
    """Make changes after the first transfer that the second one transfers. Returns False if they were made before.

    In the Vault one study and one activity are deleted and one activity is edited; in NA one call is deleted.
    """
    actor = Actor(user=User.objects.get(username=ADMIN_USERNAME), source="command", reference="demo")
    with transaction.atomic():
        study = Study.objects.filter(name=WITHDRAWN_STUDY_NUMBER).first()
        if study is None:
            return False
        delete_record(record=study, actor=actor, reason="Registered twice")
        deleted = Activity.objects.get(uid=make_uid("activity", DELETED_KEY))
        delete_record(record=deleted, actor=actor, reason="The visit was called off")
        edited = Activity.objects.get(uid=make_uid("activity", EDITED_KEY))
        edited.subject = EDITED_SUBJECT_AFTERWARDS
        edited.date += timedelta(days=1)
        save_record(record=edited, actor=actor)
        delete_call(plan=ORGANISATIONS[0], directory=get_sandbox_directory(), name=CALL_TO_DELETE)
    return True


def _load(*, now: datetime) -> None:
    """Write everything. `now` is the midnight (UTC) from which all dates and times are counted."""
    rng, today = Random(_SEED), now.date()  # noqa: S311  invented names need no secrecy
    users = create_users(today=today)
    actor = users.actor
    configure_vault(actor=actor)
    studies = create_studies(today=today, actor=actor)
    population = create_population(rng=rng, actor=actor)
    by_study = assign_studies(users=users, studies=studies)
    teams = create_teams(studies=studies, owners=by_study, population=population, today=today, rng=rng, actor=actor)
    create_events(teams=teams, today=today, rng=rng, actor=actor)
    create_communications(teams=teams, today=today, rng=rng, actor=actor)
    authors = Authors(
        by_study=by_study,
        everyone=[users.study_manager, users.cra, *users.colleagues],
    )
    create_activities(teams=teams, population=population, authors=authors, today=today, rng=rng)
    logins = list(users.logins)
    for plan in ORGANISATIONS:
        login = create_organisation(
            plan=plan, directory=get_sandbox_directory(), people=population.list_matched_people(), now=now, rng=rng
        )
        connect_organisation(plan=plan, login=login, actor=actor)
        logins.append(build_integration_login(plan=plan, login=login))
    activate_transfer(actor=actor)
    write_logins(logins=logins, path=get_logins_path())


def _refuse_other_records() -> None:
    holds_records = any(model.objects.exists() for model in (Study, Person, Activity))
    # The connection that a new Vault comes with is no record of anybody.
    is_connected = Connection.objects.exclude(url="").exists()
    if holds_records or is_connected or User.objects.filter(username=ADMIN_USERNAME).exists():
        raise DemoDataError(
            "This Vault holds records or users already, and the demonstration's data go into an empty one. "
            f"Remove {settings.VAR_DIR} (make clean) or name another database."
        )


def _check_files() -> None:
    """Replace a lost file of log-ins. Raises DemoDataError without the organisations, to which the Vault has links."""
    for plan in ORGANISATIONS:
        path = get_data_file(plan=plan, directory=get_sandbox_directory())
        if not path.exists():
            raise DemoDataError(
                f"The Vault has the demonstration's data, but those of the CRM organisation {plan.label} are gone: "
                f"{path} is missing. Remove {settings.VAR_DIR} (make clean) and start again."
            )
    if not get_logins_path().exists():
        logins = replace_passwords()
        for plan in ORGANISATIONS:
            login = read_integration_login(plan=plan, directory=get_sandbox_directory())
            logins.append(build_integration_login(plan=plan, login=login))
        write_logins(logins=logins, path=get_logins_path())
