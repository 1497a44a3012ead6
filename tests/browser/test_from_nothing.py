"""From nothing to the first transferred activity: `manage.py vault`, as `make vault` starts it, and its checklist.

The Vault is the command's own: empty, on SQLite, with web server, workers and scheduler. All else is done in the
browser.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from crm_sync.sandbox.serving.running import RunningOrganisation, RunningSandbox
from tests.browser import test_admin_setup as setup
from tests.servers import find_free_port

pytestmark = [pytest.mark.timeout(1_800)]

REPOSITORY = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
DELIVERED = "Clinical CRM Connection"


@dataclass(frozen=True, kw_only=True)
class RunningVault:
    base_url: str
    crm: RunningOrganisation


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[RunningVault]:
    """An empty Vault with its first admin, as the command makes it, and an organisation that it can connect to."""
    port = find_free_port()
    with RunningSandbox(names=["na"]) as sandbox:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "ctms.settings.embedded",
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "WARNING",
            "VAULT_VAR_DIR": str(tmp_path / "vault"),
            "VAULT_ADMIN_NAME": "Ada Adams",
            "VAULT_ADMIN_EMAIL": EMAIL,
            "VAULT_ADMIN_PASSWORD": PASSWORD,
            "CRM_SANDBOX_ORIGINS": f"{setup.HOST}={sandbox['na'].base_url}",
        }
        with (tmp_path / "output").open("w+") as output:
            command = [sys.executable, "manage.py", "vault", "--port", str(port)]
            with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output) as process:
                try:
                    wait_for(output_path=tmp_path / "output", text="Ctrl-C stops everything.", process=process)
                    yield RunningVault(base_url=f"http://127.0.0.1:{port}", crm=sandbox["na"])
                finally:
                    process.send_signal(signal.SIGINT)
                    process.wait()


def wait_for(*, output_path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    while text not in output_path.read_text(errors="replace"):  # it may be in the midst of a letter
        try:
            process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(output_path.read_text())


@pytest.fixture
def page(page: Page, vault: RunningVault) -> Page:
    """The page, in which addresses without host mean the Vault that the command started."""
    plain_goto = page.goto
    page.goto = lambda url, **options: plain_goto(vault.base_url + url, **options)  # type: ignore[method-assign]
    return page


def enter(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Setup", exact=True)).to_be_visible()


def edit_delivered_connection(page: Page, crm: RunningOrganisation) -> None:
    """The checklist leads to the connection that the Vault came with. Saved with a URL, it is Active."""
    page.goto("/admin/")
    expect(page.locator("#connection")).to_contain_text(f"{DELIVERED} waits to be edited")
    setup.open_step(page, "Connection with its Authorization")
    expect(page.get_by_text("Inactive", exact=True).first).to_be_visible()
    expect(page.locator("#id_url")).to_have_value("")
    page.locator("#id_name").fill("North America")
    page.locator("#id_url").fill(f"https://{setup.HOST}")
    setup.create_authorization_in_place(page, crm)
    setup.save(page)
    page.goto("/admin/")
    expect(page.locator("#connection")).to_contain_text("Active: North America.")


def enter_log_in(page: Page, crm: RunningOrganisation) -> None:
    """JWT bearer, as recommended: the Vault makes the certificate, and an admin of the CRM uploads it there."""
    setup.open_step(page, "Log-in to the CRM")
    page.get_by_role("link", name="Enter Connected App Details").click()
    expect(page.get_by_label("JWT bearer")).to_be_checked()
    expect(page.get_by_label("Connected App Consumer Secret")).to_be_hidden()
    page.get_by_label("Connected App Consumer Key").fill(crm.connected_app.client_id)
    setup.save(page)
    expect(page.get_by_text("Enter Connected App Details: saved.")).to_be_visible()
    assert "credentials" in setup.list_left(page)

    setup.open_step(page, "Log-in to the CRM")
    page.get_by_role("link", name="Create Certificate").click()
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("In use: valid until")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Certificate").click()
    upload_certificate(page, crm, pem=download.value.path().read_text())
    assert "credentials" not in setup.list_left(page)


def upload_certificate(page: Page, crm: RunningOrganisation, *, pem: str) -> None:
    """On the CRM's own page, in another tab."""
    crm_page = page.context.new_page()
    crm_page.goto(f"{crm.base_url}/")
    crm_page.get_by_label("Certificate (PEM)").fill(pem)
    crm_page.get_by_role("button", name="Upload").click()
    expect(crm_page.locator("dd", has_text="Uploaded")).to_be_visible()
    crm_page.close()


def log_activity(page: Page, crm: RunningOrganisation) -> None:
    """A person whom the CRM knows, and an activity with them, entered as a study team enters them."""
    crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Okafor", "External_ID_vod__c": "P-1"}]
    )
    page.goto("/records/person__sys/create/?object_type__v=person__v")
    page.get_by_label("First name").fill("Ngozi")
    page.get_by_label("Last name").fill("Okafor")
    page.locator("main [name=external_id__v]").fill("P-1")
    setup.save(page)
    page.wait_for_url(re.compile(r"/records/person__sys/[0-9a-f-]{36}/"))
    page.goto("/records/crm_activity__v/create/?object_type__v=clinical_activity__v")
    page.get_by_role("combobox", name="Person", exact=True).fill("Okafor")
    page.get_by_role("option", name="Ngozi Okafor").click()
    page.get_by_label("Channel").select_option(label="Phone")
    page.get_by_label("Subject").fill("First visit")
    setup.save(page)
    page.wait_for_url(re.compile(r"/records/crm_activity__v/[0-9a-f-]{36}/"))


def run_test_transfer(page: Page) -> None:
    """Start Now on the checklist; the worker that the command started does the rest."""
    page.goto("/admin/")
    page.get_by_role("button", name="Start Now: Test transfer").click()
    for _ in range(300):
        if page.locator("#test_transfer .vault-badge.done").count():
            return
        page.wait_for_timeout(1_000)
        page.goto("/admin/")
    raise AssertionError(page.locator("#test_transfer").inner_text())


def assert_transferred(page: Page, crm: RunningOrganisation) -> None:
    assert setup.list_left(page) == []
    [interaction] = crm.organisation.list_records(object_name="Vault_Clinical_Interaction_vod__c")
    assert interaction["Subject_vod__c"] == "First visit"


def test_as_recommended(page: Page, vault: RunningVault) -> None:
    enter(page)
    page.get_by_role("button", name="Apply recommended configuration", exact=True).click()
    expect(page.get_by_text("steps applied as recommended.")).to_be_visible()
    assert setup.list_left(page) == ["connection", "credentials", "test_transfer"]
    edit_delivered_connection(page, vault.crm)
    enter_log_in(page, vault.crm)
    log_activity(page, vault.crm)
    run_test_transfer(page)
    assert_transferred(page, vault.crm)


def test_by_hand_through_every_page(page: Page, vault: RunningVault) -> None:
    enter(page)
    setup.add_activity_sections(page)
    setup.configure_automation(page)
    setup.activate_medical_activities(page)
    setup.assign_connected_app_action(page)
    edit_delivered_connection(page, vault.crm)
    enter_log_in(page, vault.crm)
    setup.set_identifiers(page)
    setup.activate_job(page, "CRM/Clinical Operations Transfer")
    setup.arrange_exceptions(page)
    log_activity(page, vault.crm)
    assert setup.list_left(page) == ["test_transfer"]
    run_test_transfer(page)
    assert_transferred(page, vault.crm)
