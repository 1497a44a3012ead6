"""Which reports and digests were e-mailed is kept for as long as the setting says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ctms.core.clock import get_now
from ctms.reports.choices import DeliveryState, MailState
from ctms.reports.delivered import find_delivered_report
from ctms.reports.flash.services import save_schedule
from ctms.reports.models import DigestMail, FlashDelivery, FlashMail, FlashReport
from exceptions_log.reports import USER_EXCEPTIONS
from tests.factories.base import build_admin_actor, get_admin_user
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_old_deliveries_go_with_their_mails_but_for_the_newest_and_unfinished() -> None:
    flash = FlashReport(report=find_delivered_report(USER_EXCEPTIONS))
    save_schedule(flash=flash, actor=build_admin_actor())
    now = get_now()
    old, retried, sending, newest = (
        FlashDelivery.objects.create(
            flash=flash, moment=now - timedelta(days=days), state=state, next_try_at=next_try_at
        )
        for days, state, next_try_at in (
            (900, DeliveryState.DELIVERED, None),
            (899, DeliveryState.FAILED, now),
            (898, DeliveryState.SENDING, None),
            (897, DeliveryState.DELIVERED, None),
        )
    )
    for delivery in (old, newest):
        FlashMail.objects.create(delivery=delivery, user=get_admin_user(), changed_at=now)
    keep_house()
    assert set(FlashDelivery.objects.all()) == {retried, sending, newest}
    assert [each.delivery for each in FlashMail.objects.all()] == [newest]


def test_old_digests_go_and_those_being_sent_stay() -> None:
    today = get_now().date()
    for days, state in ((401, MailState.SENT), (402, MailState.SENDING), (399, MailState.SENT)):
        DigestMail.objects.create(
            user=get_admin_user(), day=today - timedelta(days=days), state=state, changed_at=get_now()
        )
    keep_house()
    assert {(today - each.day).days for each in DigestMail.objects.all()} == {402, 399}
