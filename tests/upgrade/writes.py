"""What people and workers write with the last release. Its own code runs this, in its own folder: see the test beside.

Whatever is imported here is of that release, its factories included.
"""

from __future__ import annotations

import sys

import django

django.setup()

from django.test import Client  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from activities.models import Activity  # noqa: E402
from crm_sync.sandbox.serving.running import RunningSandbox  # noqa: E402
from ctms.accounts.models import User  # noqa: E402
from ctms.audit.models import AuditEntry  # noqa: E402
from ctms.audit.sealing import seal_entries  # noqa: E402
from ctms.audit.services import delete_record, save_record  # noqa: E402
from ctms.audit.verification import verify_trail  # noqa: E402
from ctms.jobs.services import dispatch_due  # noqa: E402
from tests.crm_sync.world import build_world  # noqa: E402
from tests.factories.activities import ActivityFactory  # noqa: E402
from tests.factories.base import build_admin_actor  # noqa: E402
from tests.factories.clinical import PersonFactory, StudySiteFactory  # noqa: E402

OK = 200


def write_records() -> Activity:
    """Create, change and delete records of study teams."""
    site, person = StudySiteFactory.create(), PersonFactory.create()
    activity, other = ActivityFactory.create_batch(2, person=person, site=site)
    activity.subject = "Written by the last release"
    save_record(record=activity, actor=build_admin_actor())
    delete_record(record=other, actor=build_admin_actor())
    return activity


def transfer(activity: Activity) -> None:
    """Transfer to and from a CRM; one record fails."""
    with RunningSandbox(names=["na"]) as running:
        world = build_world(crm=running["na"])
        world.add_calls(world.add_accounts([activity.person]))
        ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
        run = world.transfer()
        if run.state != "with_exceptions" or not world.list_interactions():
            raise AssertionError(f"{run.state}: {run.message} {run.log}")


def use_pages(activity: Activity) -> None:
    """Log in, look at a page, and change a record by the API."""
    user = User.objects.create_superuser(username="release", email="release@example.org", password="An-Old-Password-1")
    browser = Client()
    if not browser.login(username="release", password="An-Old-Password-1"):
        raise AssertionError("The log-in failed.")
    page = browser.get("/", follow=True)
    if page.status_code != OK:
        raise AssertionError(f"The home page answered {page.status_code}.")
    api = APIClient()
    api.force_authenticate(user)
    address = f"/api/v1/{Activity.object_name}/{activity.uid}/"
    answer = api.get(address)
    if answer.status_code == OK:
        answer = api.patch(address, {"subject__v": "By the API"}, headers={"If-Match": answer["ETag"]})
    if answer.status_code != OK:
        raise AssertionError(f"The API answered {answer.status_code}: {answer.content!r}")


def main() -> None:
    activity = write_records()
    transfer(activity)
    use_pages(activity)
    dispatch_due()
    seal_entries()
    result = verify_trail()
    if not result.holds:
        raise AssertionError(f"The audit trail does not hold: {result.findings}")
    sys.stdout.write(f"{AuditEntry.objects.count()} entries\n")


if __name__ == "__main__":
    main()
