"""A Vault from nothing by docs/deploy/README.md, and what it answers when a part of it is gone."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql

from tests import servers
from tests.imports import ROOT
from tests.operations.installation import ADMIN, Installation, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

HOME = "/admin/"
PAGE_SECONDS = 60  # after which a page is said to hang; the web server ends one that takes as long

# A CRM, and a connection to it with records that wait. Answers each line of its input with what the CRM has by then.
CRM = """
import json, sys
import django
django.setup()
from crm_sync.sandbox.serving.running import RunningSandbox
from django.db import connections
from tests.crm_sync.world import build_world
from tests.factories.bulk import create_activities, create_people
from tests.jobs.handlers import keep_all_schedules_away
keep_all_schedules_away()
with RunningSandbox(names=["na"]) as running:
    world = build_world(crm=running["na"])
    people = create_people(5)
    world.add_accounts(people)
    create_activities(20, people=people)
    print(json.dumps(running["na"].base_url), flush=True)
    for line in sys.stdin:
        connections.close_all()  # the database may have ended them meanwhile
        if line.strip() == "more":
            create_activities(10, people=people)
        print(len(world.list_interactions()), flush=True)
"""


class Crm:
    """The process of `CRM`."""

    def __init__(self, *, installation: Installation) -> None:
        names = ("secret_key", "field_encryption_keys", "redis_url", "database_url")
        files = {f"{name.upper()}_FILE": str(installation.secrets / name) for name in names}
        self._process = subprocess.Popen(
            [sys.executable, "-c", CRM],
            cwd=ROOT,
            env=installation.environment | files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.base_url = json.loads(self._read())

    def count(self, *, more: bool = False) -> int:
        """The number of activities in the CRM; `more` makes ten in the Vault first."""
        assert self._process.stdin is not None
        self._process.stdin.write("more\n" if more else "count\n")
        self._process.stdin.flush()
        return int(self._read())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "The process of the CRM ended."
        return line


@pytest.fixture
def role(postgresql_url: str) -> Iterator[str]:
    name = f"vault_application_{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        found = database.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        if found:
            database.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            database.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def installation(tmp_path: Path, role: str) -> Iterator[Installation]:
    made = Installation(folder=tmp_path, role=role, settings="tests.reliability.settings")
    yield made
    made.end_all()


class Browser:
    """Asks the web server as the reverse proxy of the samples does."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = requests.Session()

    def ask(self, path: str, **data: str) -> requests.Response:
        headers = {
            "Host": "vault.example.org",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.7",
            "Referer": "https://vault.example.org/login/",
            "Cookie": "; ".join(f"{each.name}={each.value}" for each in self._session.cookies),
        }
        method = "POST" if data else "GET"
        return self._session.request(
            method, self._base + path, headers=headers, data=data, timeout=PAGE_SECONDS, allow_redirects=False
        )

    def get_status(self, path: str) -> int:
        try:
            return self.ask(path).status_code
        except (requests.ConnectionError, requests.Timeout):
            return 0


def start_worker(installation: Installation, *, queue: str, crm: Crm) -> None:
    origins = {"RELIABILITY_SANDBOX_ORIGINS": f"na.crm.test={crm.base_url}"}
    installation.start("vault-worker@", instance=queue, options="--without-mingle --without-gossip", **origins)


def press_start_now(installation: Installation) -> None:
    code = (
        "from ctms.jobs.models import JobDefinition; from ctms.jobs.services import start_now; "
        "from crm_sync.jobs import TRANSFER_JOB_KEY; "
        "start_now(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), user=None)"
    )
    wait_for_runs(installation)
    done = installation.run(f".venv/bin/python manage.py shell --no-imports --command '{code}'")
    assert done.returncode == 0, done.stderr


def wait_for_runs(installation: Installation) -> None:
    """Wait until no run is under way. The CRM has the last record before its run has ended."""
    code = (
        "from ctms.jobs.choices import UNFINISHED_STATES; from ctms.jobs.models import JobRun; "
        "unfinished = JobRun.objects.filter(state__in=UNFINISHED_STATES); "
        "names = ('pk', 'definition__key', 'state', 'attempt', 'queued_at', 'started_at', 'leases__silent_seconds'); "
        "print(list(unfinished.values_list(*names)))"
    )

    def has_ended() -> bool:
        done = installation.run(f'.venv/bin/python manage.py shell --no-imports --command "{code}"')
        assert done.returncode == 0, done.stderr
        unfinished = done.stdout.splitlines()[-1]
        sys.stdout.write(f"{unfinished}\n")  # seen only in the report of a test that waits in vain
        return unfinished == "[]"

    wait_for("the end of all runs", has_ended)


def install(installation: Installation, *, owner_url: str, redis_url: str) -> None:
    """Do what the document says, up to the first admin."""
    password = secrets.token_hex(16)
    installation.keep_secret("secret_key", secrets.token_urlsafe(64))
    key = installation.run(".venv/bin/python manage.py create_encryption_key --settings ctms.settings.base")
    assert key.returncode == 0, key.stderr
    installation.keep_secret("field_encryption_keys", key.stdout.strip())
    installation.keep_secret("owner_database_url", owner_url)
    application = re.sub(r"//[^@/]*@", f"//{installation.role}:{password}@", owner_url)
    installation.keep_secret("database_url", application)
    installation.keep_secret("redis_url", redis_url)
    commands = installation.list_commands()
    names = [re.sub(r".*manage\.py (\w+).*", r"\1", command) for command in commands]
    assert names == ["check", "migrate", "grant_application_role", "collectstatic", "createsuperuser"]
    for command in commands:
        text = command.replace("'of database_url'", password)
        if "createsuperuser" in text:
            text += " --no-input"
        done = installation.run(text, owner=True, more=ADMIN)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_a_vault_from_nothing_and_each_part_of_it_gone(
    installation: Installation, postgresql_url: str, request: pytest.FixtureRequest
) -> None:
    redis_until_later = ExitStack()
    request.addfinalizer(redis_until_later.close)
    redis_url = redis_until_later.enter_context(servers._start_redis())
    install(installation, owner_url=postgresql_url, redis_url=f"{redis_url}/0")
    crm = Crm(installation=installation)
    request.addfinalizer(crm.end)
    origins = {"RELIABILITY_SANDBOX_ORIGINS": f"na.crm.test={crm.base_url}"}
    port = servers.find_free_port()

    installation.start("vault-web", options=f"--bind 127.0.0.1:{port} --workers 1")
    for queue in ("ticks", "celery", "transfers", "live"):
        start_worker(installation, queue=queue, crm=crm)
    installation.start("vault-beat")
    browser = Browser(port)
    wait_for("the log-in page", lambda: browser.get_status("/login/") == 200)

    log_in(browser)
    press_start_now(installation)
    wait_for("the first transfer", lambda: crm.count() == 20)
    wait_for_runs(installation)

    # A worker killed, and another one ended, as in an upgrade.
    installation.kill("vault-worker@transfers")
    crm.count(more=True)
    press_start_now(installation)
    start_worker(installation, queue="transfers", crm=crm)
    wait_for("the transfer after the worker was killed", lambda: crm.count() == 30)
    assert installation.end("vault-worker@transfers") == 0
    start_worker(installation, queue="transfers", crm=crm)
    wait_for_runs(installation)

    # The database refuses everybody but its owner: an answer, not a page that hangs; then all is well again.
    allow(postgresql_url, role=installation.role, is_allowed=False)
    assert browser.get_status(HOME) in (500, 503)
    done = installation.run(".venv/bin/python manage.py transfer --quiet")
    assert done.returncode != 0
    allow(postgresql_url, role=installation.role, is_allowed=True)
    wait_for("the console", lambda: browser.get_status(HOME) == 200)

    # Redis gone: pages answer, and a command transfers without it.
    redis_until_later.close()
    assert browser.get_status(HOME) == 200
    crm.count(more=True)
    done = installation.run(".venv/bin/python manage.py transfer --json", more=origins)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["connections"][0]["state"] == "succeeded"
    assert crm.count() == 40

    assert installation.end("vault-beat") == 0
    assert installation.end("vault-web") == 0


def log_in(browser: Browser) -> None:
    page = browser.ask("/login/")
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
    (style,) = re.findall(r'href="(/static/[^"]+\.css)"', page.text)[:1]
    assert browser.get_status(style) == 200
    answer = browser.ask(
        "/login/",
        csrfmiddlewaretoken=token,
        username=ADMIN["DJANGO_SUPERUSER_USERNAME"],
        password=ADMIN["DJANGO_SUPERUSER_PASSWORD"],
    )
    assert answer.status_code == 302, answer.text
    assert browser.get_status("/admin/") == 200


def allow(url: str, *, role: str, is_allowed: bool) -> None:
    """Let the application's role log in, or refuse it and end its connections."""
    word = sql.SQL("LOGIN" if is_allowed else "NOLOGIN")
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(role), word))
        found: Any = database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role]
        )
        found.fetchall()
