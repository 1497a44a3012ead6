"""Whoever is responsible for a token is told once, and before it ends, however long the Vault stood still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.core import mail
from time_machine import Traveller, travel

from ctms.accounts.mail import MailError
from ctms.accounts.models import ApiToken, User
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token, replace_token, revoke_token
from ctms.jobs.expiring_tokens import notify_expiring_tokens
from ctms.jobs.services import dispatch_due
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages"), pytest.mark.both_databases]

BEGIN = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(BEGIN, tick=False) as traveller:
        yield traveller


def make_token(user: User | None = None, *, days: int = 90) -> ApiToken:
    user = user or ServiceAccountFactory.create(service_owner=UserFactory.create(email="olga@example.org"))
    actor = build_admin_actor() if user.is_service_account else Actor(user=user, source="page")
    return create_token(name="Nightly", days=days, user=user, actor=actor)[0]


def list_told() -> list[tuple[list[str], str]]:
    return [(each.to, each.subject.partition("] ")[2]) for each in mail.outbox]


def test_the_owner_is_told_once_two_weeks_before(clock: Traveller) -> None:
    token = make_token()
    clock.move_to(BEGIN + 76 * DAY - SECOND)
    dispatch_due()
    assert list_told() == []
    clock.move_to(BEGIN + 76 * DAY)
    for _ in range(3):
        dispatch_due()
    clock.move_to(BEGIN + 91 * DAY)
    dispatch_due()
    assert list_told() == [(["olga@example.org"], "The API token Nightly ends soon")]
    text = str(mail.outbox[0].body)
    assert f"The API token Nightly of {token.user} ends on 31 May 2026, 12:00 UTC." in text
    assert "It is for: Loads sites every night." in text
    assert f"/admin/accounts/apitoken/{token.pk}/change/" in text


def test_a_vault_that_stood_still_tells_it_late(clock: Traveller) -> None:
    make_token()
    clock.move_to(BEGIN + 400 * DAY)
    dispatch_due()
    assert list_told() == [(["olga@example.org"], "The API token Nightly has ended")]


def test_an_e_mail_that_was_not_taken_is_sent_by_the_next_dispatch(clock: Traveller) -> None:
    make_token()
    clock.move_to(BEGIN + 80 * DAY)
    with patch("ctms.jobs.expiring_tokens.send_mail", side_effect=MailError("The server is down.")):
        assert notify_expiring_tokens() == 0
    assert notify_expiring_tokens() == 1
    assert notify_expiring_tokens() == 0
    assert len(mail.outbox) == 1


def test_of_a_short_token_it_is_told_when_half_of_its_life_is_over(clock: Traveller) -> None:
    make_token(days=2)
    dispatch_due()
    assert list_told() == []
    clock.move_to(BEGIN + DAY)
    dispatch_due()
    assert len(mail.outbox) == 1


def test_nothing_is_told_of_tokens_that_were_revoked_or_replaced_or_whose_account_is_inactive(clock: Traveller) -> None:
    revoke_token(token=make_token(), actor=build_admin_actor())
    new, _ = replace_token(token=make_token(), days=300, overlap_days=7, actor=build_admin_actor())
    inactive = make_token().user
    inactive.is_active = False
    inactive.save()
    ended = make_token().user
    ended.valid_until = BEGIN.date()
    ended.save()
    clock.move_to(BEGIN + 80 * DAY)
    dispatch_due()
    assert list_told() == []
    clock.move_to(BEGIN + 290 * DAY)
    dispatch_due()
    assert list_told() == [(["olga@example.org"], f"The API token {new.name} ends soon")]


def test_of_an_owner_who_left_those_are_told_who_manage_users(clock: Traveller) -> None:
    token = make_token()
    UserFactory.create(
        email="ada@example.org", security_profile=SecurityProfileFactory.create(permissions=["admin:security"])
    )
    UserFactory.create(email="carl@example.org", security_profile=SecurityProfileFactory.create(permissions=[]))
    owner = token.user.service_owner
    assert owner is not None
    owner.is_active = False
    owner.save()
    clock.move_to(BEGIN + 80 * DAY)
    dispatch_due()
    told = [address for to, _ in list_told() for address in to]
    assert "ada@example.org" in told
    assert {"olga@example.org", "carl@example.org"} & set(told) == set()


def test_a_person_is_told_of_their_own_token(clock: Traveller) -> None:
    make_token(UserFactory.create(email="uma@example.org"))
    make_token(UserFactory.create(email=""))
    clock.move_to(BEGIN + 80 * DAY)
    dispatch_due()
    assert [to for to, _ in list_told()] == [["uma@example.org"]]
    assert "/profile/" in str(mail.outbox[0].body)


def test_dispatching_goes_on_when_nobody_can_be_told(clock: Traveller) -> None:
    clock.move_to(BEGIN + DAY)
    with patch("ctms.jobs.services.notify_expiring_tokens", side_effect=RuntimeError):
        assert dispatch_due().claimed == 0
