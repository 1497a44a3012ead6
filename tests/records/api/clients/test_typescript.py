"""Types of openapi-typescript compile strictly and work with openapi-fetch; so does the example made of them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from ctms.clinical.models import Person
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.records.api.clients.conftest import run
from tests.records.api.conftest import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.system]

PROGRAMS = (
    Path(__file__).with_name("typed_client.ts"),
    Path(__file__).resolve().parents[4] / "docs" / "examples" / "nightly_delta.ts",
)
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes")


@pytest.fixture
def folder(node_modules: Path, document: Path, tmp_path: Path) -> Path:
    """Return a folder with the programs, compiled."""
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}\n')
    for program in PROGRAMS:
        shutil.copy(program, tmp_path)
    generator = node_modules / "openapi-typescript" / "bin" / "cli.js"
    run("node", generator, document, "--output", "vault.d.ts", folder=tmp_path)
    compiler = node_modules / "typescript" / "bin" / "tsc"
    how = ("--target", "es2022", "--module", "nodenext", "--types", "node")
    run("node", compiler, *STRICT, *how, *(each.name for each in PROGRAMS), folder=tmp_path)
    return tmp_path


def test_typed_clients_compile_strictly_and_work(folder: Path, live_server: LiveServer, caller: Caller) -> None:
    study = StudyFactory.create(name="S-1")
    environment = os.environ | {"VAULT_TOKEN": caller.authorization.removeprefix("Bearer ")}
    seen: dict[str, Any] = json.loads(
        run("node", "typed_client.js", live_server.url, study.name, folder=folder, **environment)
    )
    person = Person.objects.get(external_id="HCP-1")
    assert seen == {
        "name": "Jo Doe",
        "uid": str(person.uid),
        "owner": str(caller.user.uid),
        "channel": "phone__v",
        "status": "ACTIVE__V",
        "count": 1,
        "outcomes": [["created", None], ["refused", "stale-version"]],
        "refusal": "key-taken",
    }

    country = StudyCountryFactory.create(study=study)
    sites = [StudySiteFactory.create(study_country=country, name=name) for name in ("101", "102")]

    def refresh() -> tuple[str, set[str]]:
        told = run("node", "nightly_delta.js", live_server.url, "sites.json", folder=folder, **environment)
        copy = json.loads((folder / "sites.json").read_text(encoding="utf-8"))
        return told, {each["name__v"] for each in copy["sites"].values()}

    assert refresh() == ("2 sites after 1 pages\n", {"101", "102"})
    assert caller.patch(f"site__v/{sites[0].uid}/", {"name__v": "103"}, etag="*").status_code == 200
    assert caller.delete(f"site__v/{sites[1].uid}/", etag="*").status_code == 204
    assert refresh() == ("1 sites after 1 pages\n", {"103"})
