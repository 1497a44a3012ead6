"""The people and machines around an installation: its admin, its administrators, and a CRM."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from typing import Any

import psycopg
import requests
from psycopg import sql

from tests.imports import ROOT
from tests.operations.installation import ADMIN, Installation

QUEUES = ("ticks", "celery", "transfers", "live")
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


def start_worker(installation: Installation, *, queue: str, crm: Crm, **more: str) -> None:
    origins = {"RELIABILITY_SANDBOX_ORIGINS": f"na.crm.test={crm.base_url}"}
    installation.start("vault-worker@", instance=queue, options="--without-mingle --without-gossip", **origins, **more)


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
