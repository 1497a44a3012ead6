"""An installation by docs/deploy/README.md, of which one part after the other is broken: the promised answers come."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from ctms.audit.roles import ADDED_TO_ALONE
from tests import servers
from tests.operations.installation import ADMIN, Installation, wait_for
from tests.operations.surroundings import QUEUES, Browser, Crm, allow, install, log_in, start_worker
from tests.smtp import open_smtp_sink

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

MANAGE = ".venv/bin/python manage.py"
# The commands of the four kinds of process, which judge the configuration before they start.
PROCESSES = (
    f"{MANAGE} check",
    ".venv/bin/gunicorn ctms.wsgi",
    ".venv/bin/celery --quiet --app ctms worker --queues ticks",
    ".venv/bin/celery --quiet --app ctms beat",
)
AUDIT_TABLE = next(iter(ADDED_TO_ALONE))


@dataclass(frozen=True, kw_only=True)
class Vault:
    """An installation that runs, and what is around it. `more` are variables of its environment."""

    installation: Installation
    owner_url: str
    redis: ExitStack
    crm: Crm
    port: int
    more: dict[str, str]

    def run(
        self, command: str, *, owner: bool = False, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.installation.run(command, owner=owner, more={**self.more, **(more or {})})

    def diagnose(self, *, before: str = "", **more: str) -> dict[str, dict[str, str]]:
        """Return what the doctor says, by check; `before` are words that the command is run by."""
        done = self.run(f"{before}{MANAGE} doctor --json", more=more)
        told = json.loads(done.stdout)
        assert done.returncode == (0 if told["ok"] else 1), done.stderr
        return {each["name"]: each for each in told["checks"]}

    def write(self, *statements: str) -> None:
        """Write into the database as the owner of its tables."""
        with psycopg.connect(self.owner_url, autocommit=True) as database:
            for each in statements:
                database.execute(each.replace("ROLE_OF_APPLICATION", self.installation.role).encode())

    def probe(self, path: str) -> requests.Response:
        """Ask as a probe does: by IP address, over plain http."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)


# How a part is broken: yields the further arguments of `Vault.diagnose`, and mends it.
Break = Callable[[Vault], AbstractContextManager[dict[str, str]]]


def write(broken: tuple[str, ...], mended: tuple[str, ...]) -> Break:
    @contextmanager
    def apply(vault: Vault) -> Iterator[dict[str, str]]:
        vault.write(*broken)
        yield {}
        vault.write(*mended)

    return apply


def set_variable(name: str, make: Callable[[Vault], str]) -> Break:
    @contextmanager
    def apply(vault: Vault) -> Iterator[dict[str, str]]:
        yield {name: make(vault)}

    return apply


def make_closed_address(scheme: str) -> Callable[[Vault], str]:
    return lambda _: f"{scheme}127.0.0.1:{servers.find_free_port()}"


def make_other_key(vault: Vault) -> str:
    other = vault.installation.folder / "other_key"
    other.write_text(vault.run(f"{MANAGE} create_encryption_key --settings ctms.settings.base").stdout)
    return str(other)


@contextmanager
def take_static_files(vault: Vault) -> Iterator[dict[str, str]]:
    folder = vault.installation.folder / "var" / "static"
    aside = folder.rename(folder.with_name("aside"))
    yield {}
    aside.rename(folder)


# Lets a process mount something that it alone sees.
UNSHARE = "unshare --user --map-root-user --mount"


def can_mount() -> bool:
    """Whether this machine lets a process do so; some containers let nobody."""
    asked = [*UNSHARE.split(), "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(asked, check=False).returncode == 0


@contextmanager
def fill_disk(vault: Vault) -> Iterator[dict[str, str]]:
    """Run the doctor where a full disk of 4 MB is mounted over VAULT_VAR_DIR."""
    folder = vault.installation.folder / "var"
    mount = f"mount -t tmpfs -o size=4m none {folder}"
    fill = f"{mount} && head -c 4m /dev/zero > {folder}/full"
    yield {"before": f"{UNSHARE} sh -c '{fill}; \"$@\"' - "}


@contextmanager
def disable_triggers(vault: Vault) -> Iterator[dict[str, str]]:
    """Disable those of the audit trail; what the doctor says to do then enables them."""
    vault.write(f"ALTER TABLE {AUDIT_TABLE} DISABLE TRIGGER USER")
    yield {}
    assert vault.run(f"{MANAGE} migrate", owner=True).returncode == 0


@contextmanager
def kill_worker(vault: Vault) -> Iterator[dict[str, str]]:
    vault.installation.kill("vault-worker@live")
    yield {}
    start_worker(vault.installation, queue="live", crm=vault.crm, **vault.more)


RENAME_MIGRATION = "UPDATE django_migrations SET name = {} WHERE id = (SELECT max(id) FROM django_migrations)"
CLOCK_AHEAD = """
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 minute' $$
"""
# By the doctor's check that it fails: how a part is broken, and the words that are expected.
BREAKS: list[tuple[str, Break, str]] = [
    (
        "migrations",
        write(
            (RENAME_MIGRATION.format("'gone_' || name"),),
            (RENAME_MIGRATION.format("substr(name, 6)"),),
        ),
        "1 are not applied",
    ),
    (
        "collation",
        write(
            ("UPDATE pg_collation SET collversion = '0' WHERE collname = 'vault_sort'",),
            ("ALTER COLLATION vault_sort REFRESH VERSION",),
        ),
        "ICU library is another one",
    ),
    (
        "roles",
        write(
            (f"GRANT DELETE ON {AUDIT_TABLE} TO ROLE_OF_APPLICATION",),
            (f"REVOKE DELETE ON {AUDIT_TABLE} FROM ROLE_OF_APPLICATION",),
        ),
        AUDIT_TABLE,
    ),
    ("roles", disable_triggers, "disabled"),
    ("keys", set_variable("FIELD_ENCRYPTION_KEYS_FILE", make_other_key), "cannot be read"),
    (
        "clock",
        write(
            (
                CLOCK_AHEAD,
                "ALTER ROLE ROLE_OF_APPLICATION SET search_path = public, pg_catalog",
            ),
            ("ALTER ROLE ROLE_OF_APPLICATION RESET search_path", "DROP FUNCTION public.clock_timestamp()"),
        ),
        "seconds ahead of this machine's",
    ),
    ("mail", set_variable("EMAIL_URL", make_closed_address("smtp://")), "takes no e-mail"),
    (
        "error reports",
        set_variable("SENTRY_DSN", lambda vault: f"{make_closed_address('http://key@')(vault)}/1"),
        "cannot be reached",
    ),
    ("static files", take_static_files, "not collected"),
    ("workers", kill_worker, "No worker answers for live"),
    ("disk", fill_disk, "0 MB left"),
]


@pytest.fixture
def vault(installation: Installation, postgresql_url: str) -> Iterator[Vault]:
    with ExitStack() as redis, open_smtp_sink() as (_, mail_port):
        redis_url = redis.enter_context(servers._start_redis())
        install(installation, owner_url=postgresql_url, redis_url=f"{redis_url}/0")
        crm = Crm(installation=installation)
        yield Vault(
            installation=installation,
            owner_url=postgresql_url,
            redis=redis,
            crm=crm,
            port=servers.find_free_port(),
            more={"EMAIL_URL": f"smtp://127.0.0.1:{mail_port}", "RELIABILITY_LOG_RENDERER": "json"},
        )
        crm.end()


def test_each_part_that_breaks_is_named_with_what_to_do(vault: Vault, tmp_path: Path) -> None:
    told = vault.diagnose()
    assert {name for name, each in told.items() if each["state"] == "problem"} == {"beat", "workers"}
    assert "No tick was ever done" in told["beat"]["message"]

    start_all(vault)
    wait_for("a doctor that finds nothing", lambda: is_well(vault))

    for name, break_part, message in BREAKS:
        if break_part is fill_disk and not can_mount():
            continue
        with break_part(vault) as arguments:
            told = vault.diagnose(**arguments)
        assert name in list_problems(told), (name, told)
        assert message in told[name]["message"], told[name]
        assert told[name]["remedy"], name
    wait_for("a doctor that finds nothing wrong again", lambda: is_well(vault))

    check_outages(vault)
    check_configuration(vault)
    check_ways_in(vault)
    check_backups(vault, folder=tmp_path / "backups")
    check_logs(vault)


def start_all(vault: Vault) -> None:
    vault.installation.start("vault-web", options=f"--bind 127.0.0.1:{vault.port} --workers 1", **vault.more)
    for queue in QUEUES:
        start_worker(vault.installation, queue=queue, crm=vault.crm, **vault.more)
    vault.installation.start("vault-beat", **vault.more)


def is_well(vault: Vault) -> bool:
    problems = list_problems(vault.diagnose())
    sys.stdout.write(f"{problems}\n")  # seen only in the report of a test that waits in vain
    return not problems


def list_problems(told: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, each in told.items() if each["state"] == "problem"]


def check_outages(vault: Vault) -> None:
    """Redis gone, then the database: what needs them says so, and what does not goes on."""
    assert (vault.probe("/livez").status_code, vault.probe("/readyz").status_code) == (200, 200)

    vault.redis.close()
    assert "redis" in list_problems(vault.diagnose())
    ready = vault.probe("/readyz")
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (200, "fails")

    allow(vault.owner_url, role=vault.installation.role, is_allowed=False)
    told = vault.diagnose()
    assert "database" in list_problems(told)
    assert {told[name]["state"] for name in ("migrations", "collation", "roles", "keys", "clock")} == {"skipped"}
    ready = vault.probe("/readyz")
    assert (ready.status_code, ready.json()["checks"]["database"], vault.probe("/livez").status_code) == (
        503,
        "fails",
        200,
    )
    assert Browser(vault.port).get_status("/login/") == 503
    allow(vault.owner_url, role=vault.installation.role, is_allowed=True)
    wait_for("the log-in page", lambda: Browser(vault.port).get_status("/login/") == 200)


def check_configuration(vault: Vault) -> None:
    """Each kind of process refuses a wrong configuration as a whole, and shows nothing of a secret."""
    wrong = {
        "ALLOWED_HOSTS": "*",
        "DATABASE_POOL_SIZE": "0",
        "DATABASE_URL_FILE": str(vault.installation.folder / "address"),
        "LOG_LEVEL": "LOUD",
    }
    (vault.installation.folder / "address").write_text("postgres://vault:pa#ss-of-the-database@127.0.0.1/vault\n")
    for command in PROCESSES:
        done = vault.run(command, more=wrong)
        said = done.stdout + done.stderr
        assert done.returncode == 1, (command, said)
        assert "4 settings are wrong" in said, (command, said)
        for name in ("ALLOWED_HOSTS", "DATABASE_POOL_SIZE", "DATABASE_URL", "LOG_LEVEL"):
            assert name in said, (command, said)
        assert "ss-of-the-database" not in said, command
        assert "Traceback" not in said, (command, said)
    for command in ("flush", "loaddata x.json", "testserver", "demo"):
        done = vault.run(f"{MANAGE} {command}")
        assert done.returncode != 0, command
        assert "refused in production" in done.stderr, (command, done.stderr)


def check_ways_in(vault: Vault) -> None:
    """An admin who typed wrong passwords is let in by a command; during maintenance everything is read alone."""
    name, password = ADMIN["DJANGO_SUPERUSER_USERNAME"], ADMIN["DJANGO_SUPERUSER_PASSWORD"]
    for _ in range(5):
        assert try_to_log_in(vault, username=name, password="wrong") != 302
    assert try_to_log_in(vault, username=name, password=password) != 302
    assert vault.run(f"{MANAGE} unlock --username {name}").returncode == 0
    browser = Browser(vault.port)
    log_in(browser)

    assert vault.run(f"{MANAGE} maintenance on --message 'Until 14:00.'").returncode == 0
    page = wait_for("the maintenance", lambda: find_in(browser, "/admin/jobs/jobdefinition/", "Until 14:00."))
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    answer = browser.ask("/records/person__sys/create/", csrfmiddlewaretoken=token, last_name__sys="Berg")
    assert (answer.status_code, "Until 14:00." in answer.text) == (503, True)
    assert vault.run(f"{MANAGE} maintenance off").returncode == 0


def try_to_log_in(vault: Vault, *, username: str, password: str) -> int:
    browser = Browser(vault.port)
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.ask("/login/").text))
    return browser.ask("/login/", csrfmiddlewaretoken=token, username=username, password=password).status_code


def find_in(browser: Browser, path: str, words: str) -> str:
    """Return the page if it has the words."""
    answer = browser.ask(path)
    return answer.text if words in answer.text else ""


def check_backups(vault: Vault, *, folder: Path) -> None:
    """A backup is made and proved to be restored, and one that was damaged is refused by name."""
    folder.mkdir()
    done = vault.run(f"{MANAGE} backup --to {folder} --keys-to {folder.parent / 'keys'} --json", owner=True)
    assert done.returncode == 0, done.stderr
    drill = f"{MANAGE} restore_drill --from {folder} --report {folder.parent / 'drill.txt'}"
    done = vault.run(drill, owner=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "can be relied on" in (folder.parent / "drill.txt").read_text()

    (dump,) = folder.glob("*/*.dump")
    dump.write_bytes(dump.read_bytes()[:-100])
    done = vault.run(drill, owner=True)
    assert done.returncode == 1
    assert dump.name in done.stdout + done.stderr


def check_logs(vault: Vault) -> None:
    """Each line of each process is one JSON object, and none has a secret."""
    secrets = [path.read_text().strip() for path in vault.installation.secrets.iterdir()]
    parts = [each for each in secrets if "://" not in each] + [each.split("@")[0] for each in secrets if "@" in each]
    for name in ("vault-web", "vault-beat", *(f"vault-worker@{each}" for each in QUEUES)):
        text = vault.installation.read_log(name)
        assert not [each for each in parts if each in text], name
        lines = [line for line in text.splitlines() if line and not line.startswith("worker: Warm shutdown")]
        assert lines, name
        for line in lines:
            assert {"timestamp", "level", "event"} <= json.loads(line).keys(), (name, line)
