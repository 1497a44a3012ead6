"""The production image: its sources, with the packages of requirements.txt and no others, are a whole Vault.

The sources are copied and thinned out as the Dockerfile says. The packages are linked into a folder of their own, and
Python is started without its usual one (`-S`), so that nothing else that this machine has installed can be imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.installed_packages import link_package
from tests.test_deployment import (
    REPOSITORY,
    build_environment,
    list_instructions,
    load_compose,
    make_secrets,
    read,
)
from tests.test_deployment import SAMPLE_VALUES as VALUES

pytestmark = pytest.mark.system

EXTRAS = ("starlette", "uvicorn", "lark", "python_multipart", "jinja2")

IMPORT_EVERY_MODULE = """
import importlib, pkgutil, sys
import django
django.setup()
other_settings = {"ctms.settings.embedded", "ctms.settings.test"}
for name in ("activities", "connections", "crm_sync", "ctms", "exceptions_log"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, prefix=f"{name}."):
        if module.name not in other_settings:
            importlib.import_module(module.name)
            print(module.name)
"""

BUILD_WORKER_AND_BEAT = """
from ctms.celery import app
app.loader.import_default_modules()
app.Worker(hostname="worker@image", loglevel="INFO", concurrency=2)
app.Beat(loglevel="INFO", quiet=True)
print(*(name for name in app.tasks if not name.startswith("celery.")))
print(*app.conf.beat_schedule)
"""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Sources, the folder of the packages that they can import, and that of the secrets."""

    sources: Path
    packages: Path
    secrets: Path

    def run_python(self, *arguments: str, settings: str = "production") -> subprocess.CompletedProcess[str]:
        environment = build_environment(load_compose(values=VALUES)["web"], secrets=self.secrets)
        return subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=self.sources,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self.packages),
                "PYTHONDONTWRITEBYTECODE": "1",
                "DJANGO_SETTINGS_MODULE": f"ctms.settings.{settings}",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install -r requirements.txt` installs, as links to what is installed here."""
    folder = tmp_path_factory.mktemp("packages")
    for line in re.findall(r"^\S.*?(?= \\$)", read("requirements.txt"), flags=re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        link_package(requirement.name, folder=folder)
    return folder


@pytest.fixture(scope="module")
def image(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The sources of the production image, beside its packages."""
    folder = tmp_path_factory.mktemp("image")
    stages = list_instructions()
    for source in (value.split()[0] for name, value in stages["sources"] if name == "COPY"):
        if (REPOSITORY / source).is_dir():
            # Other processes write compiled modules meanwhile, whose files come and go.
            shutil.copytree(REPOSITORY / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / source, folder / source)
    removed = [path for _, value in stages["production-sources"] for path in re.findall(r"rm -r (.+)", value)]
    for path in " ".join(removed).split():
        shutil.rmtree(folder / path)
    (folder / "var" / "static").mkdir(parents=True)  # there once static files were collected
    secrets = make_secrets(tmp_path_factory.mktemp("secrets"))
    return Installation(sources=folder, packages=packages, secrets=secrets)


def test_the_packages_of_the_extras_cannot_be_imported(image: Installation) -> None:
    for name in EXTRAS:
        assert find_spec(name) is not None, "here it can, so that the others are worth something"
        done = image.run_python("-c", f"import {name}")
        assert f"No module named '{name}'" in done.stderr


def test_every_module_is_imported(image: Installation) -> None:
    done = image.run_python("-c", IMPORT_EVERY_MODULE)
    assert (done.returncode, done.stderr) == (0, "")
    modules = done.stdout.split()
    assert {"ctms.wsgi", "ctms.urls", "crm_sync.jobs", "crm_sync.management.commands.demo"} <= set(modules)
    assert [name for name in modules if name.startswith(("crm_sync.sandbox", "crm_sync.demo"))] == []


def test_the_deployment_check_passes(image: Installation) -> None:
    done = image.run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_web_server_loads_the_application(image: Installation) -> None:
    done = image.run_python("-m", "gunicorn", "--check-config", "ctms.wsgi")
    assert done.returncode == 0, done.stderr


def test_worker_and_beat_are_built_with_their_tasks(image: Installation) -> None:
    done = image.run_python("-c", BUILD_WORKER_AND_BEAT)
    assert done.returncode == 0, done.stderr
    tasks, schedule = done.stdout.splitlines()[-2:]
    assert {"jobs.dispatch_due", "audit.seal_entries"} <= set(tasks.split())
    assert schedule == "dispatch-due-jobs seal-audit-trail write-contact-dates transfer-as-it-happens"


@pytest.mark.parametrize(
    ("command", "extra"), [(["crm_sandbox", "--org", "na"], "sandbox"), (["demo", "--web-port", "8080"], "demo")]
)
def test_commands_of_the_extras_say_what_to_install(image: Installation, command: list[str], extra: str) -> None:
    for sources, missing in ((image.sources, re.escape(f"crm_sync.{extra}")), (REPOSITORY, "|".join(EXTRAS))):
        done = Installation(sources=sources, packages=image.packages, secrets=image.secrets).run_python(
            "manage.py", *command, settings="embedded"
        )
        assert done.returncode == 1
        assert re.search(f"needs the extra '{extra}' of pyproject.toml, and ({missing}) is not installed", done.stderr)
        assert "pip install --require-hashes --no-deps -r .ci/requirements-demo.txt" in done.stderr
        assert "Traceback" not in done.stderr
