"""Addresses: parameters that nobody knows are refused everywhere, and uids are found in any case."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories.clinical import StudyFactory, StudySiteFactory
from tests.factories.reports import ReportFactory
from tests.records.api.conftest import Caller, list_errors

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["colour", "Sort", "cursors"])
def test_an_unknown_parameter_is_refused_at_every_address(caller: Caller, name: str) -> None:
    study = StudyFactory.create()
    report = ReportFactory.create(owner=caller.user)
    one = f"/api/v1/study__v/{study.uid}/"
    requests: list[tuple[str, str, Any]] = [
        ("get", "/api/v1/study__v/", None),
        ("post", "/api/v1/study__v/", {"name__v": "S-1"}),
        ("get", one, None),
        ("patch", one, {"sponsor__v": "Acme"}),
        ("delete", one, None),
        ("post", "/api/v1/study__v/batch/", {"rows": []}),
        ("get", "/api/v1/study__v/by-key/", None),
        ("get", "/api/v1/study__v/changes/", None),
        ("get", "/api/v1/objects/", None),
        ("get", "/api/v1/schema/", None),
        ("get", "/api/v1/reports/", None),
        ("get", f"/api/v1/reports/{report.uid}/", None),
        ("get", f"/api/v1/reports/{report.uid}/rows/", None),
    ]
    for method, path, body in requests:
        response = getattr(caller.client, method)(f"{path}?{name}=1", body, headers={"If-Match": "*"})
        assert (response.status_code, name in list_errors(response)) == (400, True), (method, path)
    study.refresh_from_db()
    assert study.version == 1


def test_a_uid_is_found_in_any_case(caller: Caller) -> None:
    site = StudySiteFactory.create()
    report = ReportFactory.create(owner=caller.user)
    uid, study = str(site.uid).upper(), str(site.study.uid).upper()
    shown = caller.get(f"site__v/{site.uid}/").json()
    assert caller.get(f"site__v/{uid}/").json() == shown
    assert caller.patch(f"site__v/{uid}/", {"city__v": "Bonn"}, etag="*").status_code == 200
    assert caller.get("site__v/", study__v=study).json()["results"][0]["uid__sys"] == str(site.uid)
    assert caller.get("site__v/", **{"study_country__v.study__v": study}).json()["count"] == 1
    assert caller.get("site__v/by-key/", uid__sys=uid).status_code == 200
    assert caller.get("site__v/by-key/", study__v=study, name__v=site.name).status_code == 200
    assert caller.get(f"reports/{str(report.uid).upper()}/").status_code == 200
    assert caller.delete(f"site__v/{uid}/", etag="*").status_code == 204
