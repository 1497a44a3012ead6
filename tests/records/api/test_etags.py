"""ETags change whenever the answer does; a change asks whether the version is still the same."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.factories.clinical import StudyFactory, StudySiteFactory
from tests.records.api.conftest import Caller, build_limited_caller

pytestmark = pytest.mark.django_db


def read_etag(caller: Caller, path: str) -> str:
    response = caller.client.get(f"/api/v1/{path}")
    assert response.status_code == 200
    etag: str = response.headers["ETag"]
    return etag


def test_an_etag_changes_with_all_that_an_answer_shows(caller: Caller) -> None:
    site = StudySiteFactory.create()
    path = f"site__v/{site.uid}/"
    limited = build_limited_caller("site__v:read")  # to whom the name of the study is hidden
    before = read_etag(caller, path)
    assert read_etag(caller, path) == before
    others = [
        read_etag(limited, path),
        read_etag(caller, f"{path}?fields=name__v"),
        read_etag(caller, f"{path}?expand=study__v"),
    ]
    caller.patch(f"study__v/{site.study.uid}/", {"name__v": "Renamed"}, etag="*")
    others.append(read_etag(caller, path))
    assert len({before, *others}) == 5


def test_an_etag_tells_neither_version_nor_value(caller: Caller) -> None:
    [one, two] = StudyFactory.create_batch(2)
    etags = [read_etag(caller, f"study__v/{each.uid}/") for each in (one, two)]
    assert etags[0].partition("-")[0] != etags[1].partition("-")[0]  # both are at version 1


def test_an_answer_that_the_client_has_is_not_sent_again(caller: Caller) -> None:
    site = StudySiteFactory.create()
    key = f"site__v/by-key/?study__v.name__v={site.study.name}&name__v={site.name}"
    for path in (f"site__v/{site.uid}/", key, "site__v/?size=1", "site__v/?format=csv"):
        etag = read_etag(caller, path)
        for named in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = caller.client.get(f"/api/v1/{path}", headers={"If-None-Match": named})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag), path
        assert caller.client.get(f"/api/v1/{path}", headers={"If-None-Match": '"x"'}).status_code == 200
    list_etag = read_etag(caller, "site__v/")
    caller.patch(f"site__v/{site.uid}/", {"city__v": "Bonn"}, etag="*")
    changed = caller.client.get("/api/v1/site__v/", headers={"If-None-Match": list_etag})
    assert (changed.status_code, changed.json()["results"][0]["city__v"]) == (200, "Bonn")


def test_the_same_page_has_the_same_etag_though_the_addresses_beside_it_are_encrypted_anew(caller: Caller) -> None:
    StudyFactory.create_batch(2)
    assert read_etag(caller, "study__v/?size=1") == read_etag(caller, "study__v/?size=1")
    assert read_etag(caller, "study__v/?size=1") != read_etag(caller, "study__v/?size=2")
    assert read_etag(caller, "study__v/?size=1") != read_etag(caller, "study__v/?size=1&format=csv")


@pytest.mark.parametrize("suffix", ["", "?fields=name__v", "?expand=study__v"])
def test_a_change_takes_the_etag_of_whatever_was_shown_of_the_present_version(caller: Caller, suffix: str) -> None:
    site = StudySiteFactory.create()
    path = f"site__v/{site.uid}/"
    etag = read_etag(caller, f"{path}{suffix}")
    assert caller.patch(path, {"city__v": "Bonn"}, etag=f"W/{etag}").status_code == 200  # a proxy compressed it
    assert caller.patch(path, {"city__v": "Köln"}, etag=etag).status_code == 412
    assert caller.patch(path, {"city__v": "Köln"}, etag=f'{etag}, "2"').status_code == 200


def test_an_etag_of_another_record_does_not_let_a_change_through(caller: Caller) -> None:
    [one, two] = StudyFactory.create_batch(2)
    etag = read_etag(caller, f"study__v/{one.uid}/")
    for named in (etag, "1", '"', '""', '"1', '"-1"', '"01"'):
        assert caller.patch(f"study__v/{two.uid}/", {"sponsor__v": "Acme"}, etag=named).status_code == 412, named


def test_an_etag_outlives_the_secret_key_that_it_was_made_with(caller: Caller) -> None:
    study = StudyFactory.create()
    path = f"study__v/{study.uid}/"
    with override_settings(SECRET_KEY="x" * 50):
        etag = read_etag(caller, path)
    with override_settings(SECRET_KEY_FALLBACKS=["x" * 50]):
        assert caller.patch(path, {"sponsor__v": "Acme"}, etag=etag).status_code == 200
