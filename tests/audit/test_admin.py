"""The admin writes through the audited writer; its refusals are shown in the form, and the input is kept."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.accounts.selectors import get_system_user
from ctms.audit.admin.writing import try_write
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.selectors import Dependants
from ctms.audit.services import save_record
from ctms.clinical.models import Study
from ctms.core.errors import UnauditedWriteError
from ctms.core.models import SAME_NUMBERS
from tests.admin_forms import fill, list_errors, list_messages, log_in_admin, read_form, submit
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

STUDY_FORM = "study_form"


def study_url(study: Study, page: str = "change") -> str:
    return reverse(f"admin:clinical_study_{page}", args=(study.pk,))


def get_last_entry() -> AuditEntry:
    entry = AuditEntry.objects.first()
    assert entry is not None
    return entry


# -- Saving ---------------------------------------------------------------------------------------
def test_a_new_record_is_in_the_audit_trail_with_its_values_and_its_author(client: Client) -> None:
    user = log_in_admin(client)
    submit(client, reverse("admin:clinical_study_add"), form_id=STUDY_FORM, name="VX-9", sponsor="Acme")
    study = Study.objects.get(name="VX-9")
    entry = get_last_entry()
    assert (entry.action, entry.source, entry.actor, entry.record_uid) == (
        AuditAction.CREATED,
        "admin",
        user,
        study.uid,
    )
    assert entry.changes["sponsor"] == [None, "Acme"]
    assert study.created_by == user


def test_a_change_is_in_the_audit_trail_with_the_value_before_and_after(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create(sponsor="Acme")
    response = submit(client, study_url(study), form_id=STUDY_FORM, sponsor="Better")
    assert response.status_code == 302
    assert get_last_entry().changes == {"sponsor": ["Acme", "Better"]}


def test_saving_without_a_change_writes_nothing(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create()
    entries = AuditEntry.objects.count()
    submit(client, study_url(study), form_id=STUDY_FORM)
    study.refresh_from_db()
    assert (study.version, AuditEntry.objects.count()) == (1, entries)


def test_saving_over_somebody_elses_change_is_refused_and_keeps_what_was_typed(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create(sponsor="Acme")
    opened = read_form(client.get(study_url(study)), form_id=STUDY_FORM)
    study.sponsor = "Changed meanwhile"
    save_record(record=study, actor=build_admin_actor())

    response = client.post(study_url(study), fill(opened, typed={"sponsor": "Typed by me"}))

    [message] = list_errors(response)["__all__"]
    assert f"{study} was changed by Ada Admin" in message
    assert "nothing was saved" in message
    assert read_form(response, form_id=STUDY_FORM)["sponsor"] == ["Typed by me"]
    assert Study.objects.get(pk=study.pk).sponsor == "Changed meanwhile"


def test_a_form_that_lost_its_version_is_refused(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create(sponsor="Acme")
    response = submit(client, study_url(study), form_id=STUDY_FORM, sponsor="Better", read_version=None)
    assert list_errors(response) == {
        "__all__": ["The form came without the record's version. Reload the page and enter it again."]
    }
    assert Study.objects.get(pk=study.pk).sponsor == "Acme"


def test_what_the_model_refuses_stands_beside_its_field(client: Client) -> None:
    log_in_admin(client)
    response = submit(
        client,
        reverse("admin:clinical_study_add"),
        form_id=STUDY_FORM,
        name="VX-9",
        planned_start="2026-05-02",
        planned_end="2026-05-01",
    )
    assert list_errors(response) == {"planned_end": ["The end (2026-05-01) lies before the start (2026-05-02)."]}
    assert read_form(response, form_id=STUDY_FORM)["name"] == ["VX-9"]
    assert not Study.objects.exists()


def test_a_value_that_exists_already_is_refused_in_words(client: Client) -> None:
    log_in_admin(client)
    StudyFactory.create(name="VX-9")
    response = submit(client, reverse("admin:clinical_study_add"), form_id=STUDY_FORM, name="VX-9")
    assert list_errors(response) == {"__all__": [f"A study of this number exists. {SAME_NUMBERS}"]}


# -- Rows of inline tables --------------------------------------------------------------------------
def open_assignments(client: Client, *users: str) -> tuple[Study, str, dict[str, list[str]]]:
    """Create a study with these users assigned; return it, its page's address, and what a browser would send."""
    study = StudyFactory.create(sponsor="Acme")
    for username in users:
        StudyAssignmentFactory.create(study=study, user=UserFactory.create(username=username))
    return study, study_url(study), read_form(client.get(study_url(study)), form_id=STUDY_FORM)


def test_a_refused_row_refuses_the_whole_page_and_says_so_in_the_row(client: Client) -> None:
    log_in_admin(client)
    study, url, opened = open_assignments(client, "first", "second")
    row = study.assignments.get(user__username="second")
    row.user = UserFactory.create(username="meanwhile")
    save_record(record=row, actor=build_admin_actor())
    changed = UserFactory.create(username="third")
    entries = AuditEntry.objects.count()
    typed = {"sponsor": "Better", "assignments-0-user": changed.pk}

    response = client.post(url, fill(opened, typed=typed))

    [formset] = response.context["inline_admin_formsets"]
    refused = [str(message) for form in formset.formset.forms for message in form.non_field_errors()]
    assert [message.partition(" was changed by ")[0] for message in refused] == [str(row)]
    assert Study.objects.get(pk=study.pk).sponsor == "Acme"
    values = read_form(response, form_id=STUDY_FORM)
    assert (values["sponsor"], values["assignments-0-user"]) == (["Better"], [str(changed.pk)])
    assert AuditEntry.objects.count() == entries


def test_a_row_that_somebody_else_changed_is_refused(client: Client) -> None:
    log_in_admin(client)
    study, url, opened = open_assignments(client, "first")
    row = study.assignments.get()
    row.user = UserFactory.create(username="meanwhile")
    save_record(record=row, actor=build_admin_actor())

    response = client.post(url, fill(opened, typed={"sponsor": "Better"}))

    [formset] = response.context["inline_admin_formsets"]
    [message] = [str(m) for form in formset.formset.forms for m in form.non_field_errors()]
    assert message.startswith(f"{row} was changed by Ada Admin")
    study.refresh_from_db()
    assert study.sponsor == "Acme"


def test_each_changed_row_has_an_audit_entry_of_its_own(client: Client) -> None:
    log_in_admin(client)
    study, url, opened = open_assignments(client, "first", "second")
    row = study.assignments.get(user__username="second")
    before, changed = row.user_id, UserFactory.create(username="third")
    entries = AuditEntry.objects.count()
    client.post(url, fill(opened, typed={"assignments-1-user": changed.pk}))
    assert AuditEntry.objects.count() == entries + 1
    entry = get_last_entry()
    assert (entry.record_uid, entry.changes) == (row.uid, {"user": [before, changed.pk]})


# -- Deleting -------------------------------------------------------------------------------------
def test_deleting_keeps_all_values_in_the_audit_trail(client: Client) -> None:
    user = log_in_admin(client)
    study = StudyFactory.create(sponsor="Acme")
    response = client.post(study_url(study, "delete"), {"post": "yes"})
    assert response.status_code == 302
    entry = get_last_entry()
    assert (entry.action, entry.actor, entry.record_uid) == (AuditAction.DELETED, user, study.uid)
    assert entry.changes["sponsor"] == ["Acme", None]
    assert not Study.objects.exists()


def test_what_keeps_a_record_from_being_deleted_is_counted(client: Client) -> None:
    log_in_admin(client)
    study = StudySiteFactory.create().study
    response = client.get(study_url(study, "delete"))
    assert response.context["protected"] == ["1 study countries", "1 study sites"]
    client.post(study_url(study, "delete"), {"post": "yes"})
    assert Study.objects.filter(pk=study.pk).exists()


def test_a_selection_is_deleted_whole(client: Client) -> None:
    log_in_admin(client)
    keys = [study.pk for study in StudyFactory.create_batch(3)]
    client.post(
        reverse("admin:clinical_study_changelist"),
        {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
    )
    assert not Study.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.DELETED).count() == 3


def test_a_selection_with_one_record_in_use_stays_whole(client: Client) -> None:
    log_in_admin(client)
    keys = [StudyFactory.create().pk, StudySiteFactory.create().study.pk]
    client.post(
        reverse("admin:clinical_study_changelist"),
        {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
    )
    assert Study.objects.count() == 2


# -- The audit trail --------------------------------------------------------------------------------
def test_the_history_of_a_record_is_its_part_of_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    study = StudyFactory.create()
    StudyFactory.create()
    response = client.get(study_url(study, "history"), follow=True)
    assert [entry.record_uid for entry in response.context["cl"].result_list] == [study.uid]


def test_an_entry_shows_values_as_text_and_never_as_markup(client: Client) -> None:
    log_in_admin(client)
    StudyFactory.create(sponsor="<script>alert(1)</script>")
    response = client.get(reverse("admin:audit_auditentry_change", args=(get_last_entry().pk,)))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.content.decode()


def test_the_audit_trail_opens_with_its_own_permission_alone(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:audit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(reverse("admin:audit_auditentry_changelist")).status_code == 200


@pytest.mark.parametrize("choice", [{"source": "admin"}, {"action__exact": "created"}, {"q": "VX-77"}])
def test_the_audit_trail_is_filtered(client: Client, choice: dict[str, str]) -> None:
    log_in_admin(client)
    StudyFactory.create()
    submit(client, reverse("admin:clinical_study_add"), form_id=STUDY_FORM, name="VX-77")
    response = client.get(reverse("admin:audit_auditentry_changelist"), choice)
    assert "VX-77" in [entry.record_name for entry in response.context["cl"].result_list]
    assert response.context["cl"].result_count < AuditEntry.objects.count()


# -- Users ----------------------------------------------------------------------------------------
def user_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=(user.pk,))


def test_a_new_user_is_in_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfileFactory.create()
    submit(
        client,
        reverse("admin:accounts_user_add"),
        form_id="user_form",
        username="carla",
        email="carla@example.org",
        security_profile=profile.pk,
    )
    user = User.objects.get(username="carla")
    assert not user.has_usable_password()
    entry = get_last_entry()
    assert (entry.action, entry.object_name, entry.record_uid) == (AuditAction.CREATED, "accounts.user", user.uid)
    assert entry.changes["security_profile"] == [None, profile.pk]
    assert entry.changes["email"] == [None, "carla@example.org"]


def test_a_changed_user_is_in_the_audit_trail_with_old_and_new_values(client: Client) -> None:
    log_in_admin(client)
    user = UserFactory.create(email="old@example.org")
    submit(client, user_url(user), form_id="user_form", email="new@example.org")
    assert get_last_entry().changes == {"email": ["old@example.org", "new@example.org"]}
    entries = AuditEntry.objects.count()
    submit(client, user_url(user), form_id="user_form")
    assert AuditEntry.objects.count() == entries


def test_a_password_set_by_an_admin_is_noted_and_not_shown(client: Client) -> None:
    admin = log_in_admin(client)
    user = UserFactory.create()
    url = reverse("admin:auth_user_password_change", args=(user.pk,))
    client.post(
        url, {"password1": "Another-pass-word-2", "password2": "Another-pass-word-2", "usable_password": "true"}
    )
    entry = get_last_entry()
    assert (entry.actor, entry.record_uid, entry.changes) == (
        admin,
        user.uid,
        {"must_change_password": [False, True], "password": ["set", "set"]},
    )


def test_a_refused_password_leaves_no_entry(client: Client) -> None:
    log_in_admin(client)
    user = UserFactory.create()
    entries = AuditEntry.objects.count()
    client.post(
        reverse("admin:auth_user_password_change", args=(user.pk,)),
        {"password1": "Another-pass-word-2", "password2": "different", "usable_password": "true"},
    )
    assert AuditEntry.objects.count() == entries


def test_ones_own_password_change_is_noted(client: Client) -> None:
    user = UserFactory.create()
    client.force_login(user)
    response = client.post(
        reverse("change_password"),
        {
            "old_password": USER_PASSWORD,
            "new_password1": "Another-pass-word-2",
            "new_password2": "Another-pass-word-2",
        },
        follow=True,
    )
    assert list_messages(response) == ["Your password was changed."]
    entry = get_last_entry()
    assert (entry.actor, entry.source, entry.changes) == (user, "page", {"password": ["set", "set"]})


def test_users_are_not_deleted(client: Client) -> None:
    log_in_admin(client)
    user = UserFactory.create()
    assert client.post(reverse("admin:accounts_user_delete", args=(user.pk,)), {"post": "yes"}).status_code == 403


def test_the_user_system_is_nobodys_to_change(client: Client) -> None:
    log_in_admin(client)
    assert get_system_user().username == SYSTEM_USERNAME
    assert client.post(user_url(get_system_user()), {"username": "mine"}).status_code == 403


def test_who_manages_users_makes_nobody_a_superuser_and_changes_none(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:security"])
    manager = UserFactory.create(is_staff=True, security_profile=profile)
    superuser = UserFactory.create(is_superuser=True)
    client.force_login(manager)
    assert client.post(user_url(superuser), {"username": "mine"}).status_code == 403
    submit(client, user_url(manager), form_id="user_form", is_superuser="on", email="mine@example.org")
    manager.refresh_from_db()
    assert (manager.email, manager.is_superuser) == ("mine@example.org", False)


def test_a_time_zone_that_does_not_exist_is_refused(client: Client) -> None:
    log_in_admin(client)
    response = submit(client, user_url(UserFactory.create()), form_id="user_form", time_zone="Mars/Olympus")
    assert list_errors(response) == {
        "time_zone": ["Select a valid choice. Mars/Olympus is not one of the available choices."]
    }


# -- What comes in between ------------------------------------------------------------------------------
@pytest.fixture
def _referred_to_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a reference to the record that is added after the admin has looked for references."""
    monkeypatch.setattr("ctms.audit.admin.base.list_dependants", lambda _records: Dependants())


@pytest.mark.parametrize("sent", ["", "no key", "9" * 30])
def test_a_reference_that_is_no_key_is_refused_in_its_field(client: Client, sent: str) -> None:
    user = log_in_admin(client)
    url = reverse("admin:accounts_user_change", args=(user.pk,))
    response = submit(client, url, form_id="user_form", security_profile=sent)
    assert response.status_code == (200 if sent else 302)
    assert not sent or "security_profile" in response.context["adminform"].form.errors


@pytest.mark.usefixtures("_referred_to_meanwhile")
def test_a_deletion_that_the_writer_refuses_leads_back_with_the_reason(client: Client) -> None:
    log_in_admin(client)
    study = StudySiteFactory.create().study
    response = client.post(study_url(study, "delete"), {"post": "yes"}, follow=True)
    assert response.redirect_chain == [(study_url(study), 302)]
    [message] = list_messages(response)
    assert message.startswith(f"{study} cannot be deleted: ")


@pytest.mark.usefixtures("_referred_to_meanwhile")
def test_a_selection_that_the_writer_refuses_stays_whole(client: Client) -> None:
    log_in_admin(client)
    keys = [StudyFactory.create().pk, StudySiteFactory.create().study.pk]
    response = client.post(
        reverse("admin:clinical_study_changelist"),
        {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
        follow=True,
    )
    [message] = list_messages(response)
    assert message.startswith("Nothing was deleted. ")
    assert Study.objects.count() == 2


def test_a_write_that_only_the_database_refuses_is_told_in_words() -> None:
    study = StudyFactory.create()

    def write() -> None:
        save_record(record=Study(name=study.name), actor=build_admin_actor(), validate=False)

    refusal = try_write(write)
    assert refusal is not None
    assert refusal.messages == [
        "Somebody else saved a record that this one contradicts at the same moment. Save again."
    ]


def test_a_write_past_the_audited_writer_is_a_fault_and_no_message() -> None:
    study = StudyFactory.create()
    with pytest.raises(UnauditedWriteError):
        try_write(study.save)
