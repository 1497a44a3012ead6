"""The page of a record shows its user exceptions with links to them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.core.choices import RecordStatus
from ctms.records.access import open_object
from ctms.records.addresses import get_record_url
from ctms.records.pages.notices import list_notices
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message, create_job_definition
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user

pytestmark = pytest.mark.django_db


def fail(record: Any, **values: Any) -> ExceptionItem:
    """Create an item of a record, in a message of its own."""
    message = values.pop("message", None) or create_exception_message()
    return create_exception_item(message=message, record_uid=record.uid, key=str(record.uid), **values)


def read(record: Any, user: User | None = None) -> list[str]:
    access = open_object(user=user or get_admin_user(), object_name=record.object_name)
    return [str(each) for each in list_notices(access=access, record=record)]


def test_what_fails_is_told_with_the_way_to_its_item(client: Client) -> None:
    activity = ActivityFactory.create()
    item = fail(activity)
    fail(ActivityFactory.create())
    client.force_login(get_admin_user())
    page = client.get(get_record_url(activity)).content.decode()
    address = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
    assert page.count("No account has this identifier.") == 1
    assert f'<a href="{address}">See the user exception.</a>' in page
    assert f"Transfer with {item.message.connection} failed:" in page


def test_what_was_resolved_is_not_told() -> None:
    activity = ActivityFactory.create()
    fail(activity, message=create_exception_message(status=RecordStatus.INACTIVE))
    assert read(activity) == []


def test_what_was_dismissed_is_told_calmly_with_the_reason() -> None:
    activity = ActivityFactory.create()
    item = fail(activity)
    dismiss_items(keys=[item.pk], reason="Known", actor=build_admin_actor())
    access = open_object(user=get_admin_user(), object_name=activity.object_name)
    [notice] = list_notices(access=access, record=activity)
    assert (notice.is_warning, "dismissed by" in str(notice), "Known" in str(notice)) == (False, True, True)


def test_many_are_led_to_by_one_link() -> None:
    activity = ActivityFactory.create()
    for _ in range(7):
        fail(activity)
    notices = read(activity)
    assert (len(notices), notices[-1]) == (6, "2 more user exceptions of this record.")


def test_what_failed_in_a_job_that_transfers_nothing_is_for_its_app_to_tell() -> None:
    activity = ActivityFactory.create()
    fail(activity, message=create_exception_message(job=create_job_definition(), integration=None, connection=None))
    assert read(activity) == []


def test_who_may_not_read_user_exceptions_is_told_nothing() -> None:
    activity = ActivityFactory.create()
    fail(activity)
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"], sees_all_studies=True)
    assert read(activity, UserFactory.create(security_profile=profile)) == []


def test_who_has_no_console_is_told_without_a_link() -> None:
    activity = ActivityFactory.create()
    fail(activity)
    permissions = ["crm_activity__v:read", "exception_item__sys:read"]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    user = UserFactory.create(security_profile=profile, is_staff=False)
    access = open_object(user=user, object_name=activity.object_name)
    [notice] = list_notices(access=access, record=activity)
    assert ([part.url for part in notice.parts], ExceptionMessage.objects.count()) == ([""], 1)
