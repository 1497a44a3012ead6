"""What a token is limited to holds at every door of the API, which are found through the URL configuration.

The account may do everything with two studies, *Own* and *Canary*. Of the latter, a token for the former tells nothing
at any door: no name, no uid, and the same answers as of what does not exist.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from ctms.accounts.models import ApiToken, SecurityProfile, User
from ctms.accounts.tokens import NO_LIMITS, TokenLimits, find_token
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person, Study
from ctms.configuration.registry import get_object
from ctms.core.clock import get_now
from ctms.records.models import KeptAnswer
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudyPersonFactory
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.record_rows import OBJECTS, create_record
from tests.security.test_every_address import ROUTES, fill

pytestmark = pytest.mark.django_db

API = "api/v1/"
DOORS = [route for route in ROUTES if route.startswith(API)]
OF_OBJECTS = [route for route in DOORS if "object_name>" in route]
ACTIONS = ("create", "read", "edit", "delete")
HIDEABLE = [name for name in OBJECTS if getattr(get_object(name).scope, "limit", True)]
EVERYTHING = [f"{name}:{action}" for name in (*OBJECTS, "report__sys") for action in ACTIONS]
METHODS = ("get", "post", "patch", "delete")
_REQUEST_ID = re.compile(r'"request_id": "[^"]+"')
# Hundreds of requests, generated from the URL configuration and the registry.
generated = pytest.mark.system


@pytest.fixture(autouse=True)
def _stopped_clock() -> Iterator[None]:
    with time_machine.travel(get_now(), tick=False):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that sends the token of an account."""

    account: User
    text: str
    address: str = "127.0.0.1"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        caller = APIClient(REMOTE_ADDR=self.address)
        sent = {
            "Authorization": f"Bearer {self.text}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return getattr(caller, method)(f"/{path.lstrip('/')}", body, headers=sent)


def build_program(
    account: User,
    *,
    names: list[str] | None = None,
    studies: list[Study] | None = None,
    networks: list[str] | None = None,
    **values: Any,
) -> Program:
    uids = None if studies is None else [str(each.uid) for each in studies]
    limits = TokenLimits(object_names=names, study_uids=uids, networks=networks)
    given: dict[str, Any] = {"name": f"Token {uuid.uuid4()}", "days": 30, "scope": "write"} | values
    _, text = create_token(user=account, limits=limits, actor=build_admin_actor(), **given)
    return Program(account=account, text=text)


def create_account(*, sees_all: bool = True, permissions: list[str] | None = None) -> User:
    profile = SecurityProfileFactory.create(
        permissions=EVERYTHING if permissions is None else permissions, sees_all_studies=sees_all
    )
    return ServiceAccountFactory.create(security_profile=profile)


def assign(account: User, *studies: Study) -> None:
    for study in studies:
        StudyAssignmentFactory.create(user=account, study=study)


# -- Objects --------------------------------------------------------------------------------------
@generated
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", OF_OBJECTS)
def test_an_object_beyond_the_token_is_refused_at_every_door(route: str, method: str) -> None:
    program = build_program(create_account(), names=["person__sys"])
    for object_name in set(OBJECTS) - {"person__sys"}:
        record = create_record(object_name)
        answer = program.ask(method, fill(route, object_name=object_name, uid=record.uid), {})
        assert answer.status_code in (403, 405), (object_name, answer.content)
        # The name of a site is four digits, which may stand in the drawn number of a request.
        assert str(record) not in _REQUEST_ID.sub("", answer.content.decode())
        assert type(record)._default_manager.get(pk=record.pk).version == record.version


def test_an_object_of_the_token_is_answered_and_the_others_are_not_in_the_catalogue_nor_named() -> None:
    study = StudyFactory.create(name="CANARY-STUDY")
    deviation = create_record("site__v", study)
    program = build_program(create_account(), names=["site__v"])
    assert [each["name"] for each in program.ask("get", f"{API}objects/").json()["results"]] == ["site__v"]
    answer = program.ask("get", f"{API}site__v/")
    assert [each["uid__sys"] for each in answer.json()["results"]] == [str(deviation.uid)]
    assert "CANARY-STUDY" not in answer.content.decode()


def test_a_token_for_objects_opens_no_report() -> None:
    program = build_program(create_account(), names=["person__sys"])
    assert program.ask("get", f"{API}reports/").status_code == 403


def test_a_token_of_a_superuser_is_limited_as_well() -> None:
    root = get_admin_user()
    limits = TokenLimits(object_names=["person__sys"])
    _, text = create_token(name="Own", days=1, scope="write", limits=limits, actor=build_admin_actor())
    program = Program(account=root, text=text)
    assert program.ask("get", f"{API}person__sys/").status_code == 200
    assert program.ask("get", f"{API}study__v/").status_code == 403


# -- Studies --------------------------------------------------------------------------------------
@generated
@pytest.mark.parametrize("sees_all", [True, False], ids=["account of all studies", "account of two studies"])
@pytest.mark.parametrize("object_name", HIDEABLE)
def test_a_study_beyond_the_token_does_not_exist_at_any_door(object_name: str, sees_all: bool) -> None:
    own, canary = StudyFactory.create(), StudyFactory.create(name="CANARY-STUDY")
    account = create_account(sees_all=sees_all)
    assign(account, own, canary)
    hidden = create_record(object_name, canary)
    if isinstance(hidden, Person):
        StudyPersonFactory.create(person=hidden, site=None, study=canary)
    program, whole = build_program(account, studies=[own]), build_program(account)
    mark = str(hidden.uid)
    assert mark in whole.ask("get", f"{API}{object_name}/?size=200").content.decode()
    for route in DOORS:
        for method in METHODS:
            address = fill(route, object_name=object_name, uid=hidden.uid)
            answer = program.ask(method, address, {}, If_Match="*")
            told = answer.content.decode().replace(address, "").replace(address.removeprefix(f"/{API}"), "")
            assert mark not in told, (method, route)
            assert "CANARY-STUDY" not in told, (method, route)
            assert answer.status_code < 500
            if ":uid>" in route and "object_name" in route:
                assert answer.status_code in (404, 405, 403), (method, route)
    assert type(hidden)._default_manager.get(pk=hidden.pk).version == hidden.version


def test_lists_counts_searches_keys_and_references_know_the_studies_of_the_token_alone() -> None:
    own, canary = StudyFactory.create(), StudyFactory.create(name="CANARY-STUDY", external_id="CANARY-1")
    site = create_record("site__v", canary)
    program = build_program(create_account(), studies=[own])
    listed = program.ask("get", f"{API}study__v/").json()
    assert (listed["count"], [each["uid__sys"] for each in listed["results"]]) == (1, [str(own.uid)])
    assert program.ask("get", f"{API}study__v/?q=CANARY").json()["count"] == 0
    assert program.ask("get", f"{API}study__v/by-key/?external_id__v=CANARY-1").status_code == 404
    assert program.ask("get", f"{API}site__v/?study__v={canary.uid}").status_code in (200, 400)
    for named in (str(canary.uid), {"external_id__v": "CANARY-1"}):
        refused = program.ask("post", f"{API}study_country__v/", {"study__v": named, "country__v": "de__v"})
        assert refused.status_code == 400
        assert "study__v" in {each.get("field") for each in refused.json()["errors"]}
    rows = [{"operation": "delete", "key": {"uid__sys": str(site.uid)}, "version": "*"}]
    results = program.ask("post", f"{API}site__v/batch/", {"rows": rows}).json()["results"]
    assert [each["status"] for each in results] == [404]
    assert type(site).objects.filter(pk=site.pk).exists()


def test_a_token_never_reaches_farther_than_its_account() -> None:
    own, foreign = StudyFactory.create(), StudyFactory.create()
    account = create_account(sees_all=False)
    assign(account, own)
    program = build_program(account, studies=[own, foreign])
    assert program.ask("get", f"{API}study__v/{own.uid}/").status_code == 200
    assert program.ask("get", f"{API}study__v/{foreign.uid}/").status_code == 404


def test_what_the_account_made_for_another_study_is_not_seen() -> None:
    own = StudyFactory.create()
    account = create_account()
    made = build_program(account).ask(
        "post", f"{API}person__sys/", {"last_name__sys": "Canary", "object_type__v": "person__v"}
    )
    assert made.status_code == 201
    assert Person.objects.get().created_by == account
    assert build_program(account, studies=[own]).ask("get", f"{API}person__sys/").json()["count"] == 0


def read_feed(program: Program, object_name: str, bookmark: str = "") -> dict[str, Any]:
    since = f"?since={bookmark}" if bookmark else ""
    told: dict[str, Any] = program.ask("get", f"{API}{object_name}/changes/{since}").json()
    return told


def test_the_feed_tells_nothing_of_other_studies_not_even_that_something_was_deleted() -> None:
    own, canary = StudyFactory.create(), StudyFactory.create()
    mine, hidden = create_record("site__v", own), create_record("site__v", canary)
    account = create_account()
    program, whole = build_program(account, studies=[own]), build_program(account)
    begun = read_feed(program, "site__v")
    assert [each["uid__sys"] for each in begun["results"]] == [str(mine.uid)]
    bookmarks = {"program": begun["bookmark"], "whole": read_feed(whole, "site__v")["bookmark"]}
    for site in (mine, hidden):
        site.site_name = f"{site.site_name} changed"
        save_record(record=site, actor=build_admin_actor())
    delete_record(record=hidden, actor=build_admin_actor())
    told = read_feed(program, "site__v", bookmarks["program"])
    assert [(each["uid__sys"], each["change"]) for each in told["results"]] == [(str(mine.uid), "changed")]
    # A bookmark of a token that reaches farther does not carry its sight over.
    carried = read_feed(program, "site__v", bookmarks["whole"])
    assert str(hidden.uid) not in str(carried["results"])
    seen = read_feed(whole, "site__v", bookmarks["whole"])
    assert (str(hidden.uid), "deleted") in [(each["uid__sys"], each["change"]) for each in seen["results"]]


def test_an_answer_that_was_kept_for_a_token_is_not_given_to_one_that_reaches_less() -> None:
    own = StudyFactory.create()
    account = create_account()
    body = {"rows": [{"operation": "create", "values": {"name__v": "CANARY-STUDY"}}]}
    first = build_program(account).ask("post", f"{API}study__v/batch/", body, Idempotency_Key="k")
    assert first.status_code == 200
    again = build_program(account, studies=[own]).ask("post", f"{API}study__v/batch/", body, Idempotency_Key="k")
    assert (again.status_code, again.json()["code"]) == (422, "idempotency-key-reused")
    assert KeptAnswer.objects.count() == 1


def test_a_report_that_runs_as_its_owner_is_not_shown_to_a_token_for_some_studies() -> None:
    own = StudyFactory.create()
    account = create_account()
    owner = UserFactory.create(is_superuser=True)
    report = ReportFactory.create(owner=owner, run_as_owner=True)
    ReportShareFactory.create(report=report, user=account)
    mine = ReportFactory.create(owner=account, run_as_owner=True)
    whole, program = build_program(account), build_program(account, studies=[own])
    assert {str(report.uid), str(mine.uid)} <= {
        each["uid__sys"] for each in whole.ask("get", f"{API}reports/").json()["results"]
    }
    assert str(report.uid) not in program.ask("get", f"{API}reports/").content.decode()
    assert program.ask("get", f"{API}reports/{report.uid}/rows/").status_code == 404
    StudyFactory.create(name="CANARY-STUDY")
    rows = program.ask("get", f"{API}reports/{mine.uid}/rows/")
    assert "CANARY-STUDY" not in rows.content.decode()


# -- Addresses ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("networks", "address", "is_taken"),
    [
        (["192.0.2.0/24"], "192.0.2.7", True),
        (["198.51.100.1/32", "192.0.2.0/24"], "192.0.2.7", True),
        (["192.0.2.0/24"], "192.0.3.7", False),
        (["192.0.2.0/24"], "", False),
        (["2001:db8::/32"], "2001:db8::7", True),
        (["2001:db8::/32"], "192.0.2.7", False),
        ([], "192.0.2.7", False),
        (["nonsense"], "192.0.2.7", False),
    ],
)
def test_a_token_is_taken_from_its_networks_alone(networks: list[str], address: str, is_taken: bool) -> None:
    program = build_program(create_account(), networks=networks)
    answer = Program(account=program.account, text=program.text, address=address).ask("get", f"{API}study__v/")
    assert answer.status_code == (200 if is_taken else 401)


def test_an_address_that_the_client_made_up_is_not_believed(settings: Any) -> None:
    program = build_program(create_account(), networks=["192.0.2.0/24"])
    asked = {"method": "get", "path": f"{API}study__v/", "X_Forwarded_For": "192.0.2.7"}
    assert program.ask(**asked).status_code == 401
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1/32")]
    assert program.ask(**asked).status_code == 200


# -- Rows that nobody understands, and what is told -----------------------------------------------
@pytest.mark.parametrize("broken", ["study__v", {"study__v": True}, [1], [], 0, False])
def test_limits_that_cannot_be_understood_reach_nothing(broken: Any) -> None:
    StudyFactory.create()
    account = create_account()
    for name in ("object_names", "study_uids"):
        program = build_program(account)
        newest = ApiToken.objects.filter(user=account).latest("pk")
        ApiToken.objects.filter(pk=newest.pk).update(**{name: broken})
        answer = program.ask("get", f"{API}study__v/")
        told = answer.json().get("count")
        assert (answer.status_code, told) == ((403, None) if name == "object_names" else (200, 0))


def test_the_trail_names_the_account_and_the_token() -> None:
    account = create_account()
    program = build_program(account, name="Nightly load")
    assert program.ask("post", f"{API}study__v/", {"name__v": "S-1"}).status_code == 201
    entry = AuditEntry.objects.get(object_name="study__v")
    assert (entry.actor, entry.actor_name) == (account, f"{account} (token Nightly load)")
    assert entry.source == "api"


def test_what_a_session_remembers_of_the_same_user_is_not_asked_with_the_token(client: Client) -> None:
    own, other = StudyFactory.create(), StudyFactory.create()
    profile: SecurityProfile = SecurityProfileFactory.create(permissions=EVERYTHING)
    user = UserFactory.create(security_profile=profile)
    assign(user, own, other)
    _, text = create_token(
        name="Own", days=1, limits=TokenLimits(study_uids=[str(own.uid)]), actor=Actor(user=user, source="page")
    )
    client.force_login(user)
    answer = client.get(f"/{API}study__v/", headers={"Authorization": f"Bearer {text}"})
    assert [each["uid__sys"] for each in answer.json()["results"]] == [str(own.uid)]


def test_a_token_with_limits_is_not_found_by_the_digest_that_release_0_2_looks_for() -> None:
    user = UserFactory.create()
    digests = {}
    for name, limits in (("All", NO_LIMITS), ("Some", TokenLimits(object_names=["study__v"]))):
        token, text = create_token(name=name, days=1, user=user, limits=limits, actor=Actor(user=user, source="page"))
        assert find_token(text) == token
        digests[name] = (token.digest, hashlib.sha256(text.encode()).hexdigest())
    assert digests["All"][0] == digests["All"][1]
    assert digests["Some"][0] != digests["Some"][1]
