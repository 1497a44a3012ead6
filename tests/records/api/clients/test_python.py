"""The client that openapi-python-client makes passes strict type checks in its use, and works."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from ctms.clinical.models import Person
from tests.factories.clinical import StudyFactory
from tests.records.api.clients.conftest import run
from tests.records.api.conftest import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.system]

PROGRAM = """
import datetime
import json
import os
import sys

from vault_client import AuthenticatedClient
from vault_client.api.activities import create_crm_activity_v
from vault_client.api.people import batch_person_sys, change_person_sys, create_person_sys
from vault_client.api.study_sites import list_changes_of_site_v
from vault_client.models import (
    ApiProblem, BatchChange, BatchChangeKey, BatchChangeOperation, BatchChangeValues, BatchRequest,
    CrmActivityVChannelV, CrmActivityVNew, CrmActivityVObjectTypeV, PersonSys, PersonSysChange, PersonSysNew,
    PersonSysObjectTypeV, ReferenceInputType1,
)

address, study = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=os.environ["VAULT_TOKEN"], timeout=None)
new = PersonSysNew(last_name_sys="Doe", object_type_v=PersonSysObjectTypeV.PERSON_V, external_id_v="HCP-1")
person = create_person_sys.sync(client=client, body=new)
assert isinstance(person, PersonSys)
body = PersonSysChange(first_name_sys="Jo", email_sys=None)
changed = change_person_sys.sync(person.uid_sys, client=client, body=body, if_match=f'"{person.version}"')
assert isinstance(changed, PersonSys)
activity = create_crm_activity_v.sync(
    client=client,
    body=CrmActivityVNew(
        person_v=ReferenceInputType1(external_id_v="HCP-1"),
        study_v=ReferenceInputType1.from_dict({"name__v": study}),
        date_v=datetime.date(2026, 3, 2),
        channel_v=CrmActivityVChannelV.PHONE_V,
        object_type_v=CrmActivityVObjectTypeV.CLINICAL_ACTIVITY_V,
    ),
)
assert activity is not None and not isinstance(activity, ApiProblem)
row = BatchChange(
    operation=BatchChangeOperation.CHANGE,
    key=BatchChangeKey.from_dict({"uid__sys": str(person.uid_sys)}),
    values=BatchChangeValues.from_dict({"last_name__sys": "Poe"}),
    version=1,
)
batch = batch_person_sys.sync(client=client, body=BatchRequest(rows=[row]))
assert batch is not None and not isinstance(batch, ApiProblem)
new.last_name_sys = "Other"
refused = create_person_sys.sync(client=client, body=new)
assert isinstance(refused, ApiProblem) and refused.code
told = list_changes_of_site_v.sync(client=client)
assert told is not None and not isinstance(told, ApiProblem)
names: list[str] = [changed.name_v, activity.status_v.value, refused.code.value, batch.results[0].outcome.value]
day: datetime.date = activity.date_v
print(json.dumps([*names, str(activity.person_v.uid_sys), day.isoformat(), told.more]))
"""


def test_a_generated_client_passes_strict_type_checks_and_works(
    document: Path, live_server: LiveServer, caller: Caller, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    generator = (sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none")
    options = ("--path", document, "--output-path", "vault_client", "--config", "config.yaml")
    run(*generator, *options, folder=tmp_path, **os.environ)
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".mypy", "program.py", folder=tmp_path, **os.environ)

    study = StudyFactory.create(name="S-1")
    environment = os.environ | {"VAULT_TOKEN": caller.authorization.removeprefix("Bearer ")}
    told = run(sys.executable, "program.py", live_server.url, study.name, folder=tmp_path, **environment)
    person = Person.objects.get(external_id="HCP-1")
    assert json.loads(told) == [
        *("Jo Doe", "active__v", "key-taken", "refused"),
        *(str(person.uid), "2026-03-02", False),
    ]
