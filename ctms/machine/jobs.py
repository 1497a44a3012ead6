"""The monthly job that restores the last backup into a scratch database, and tells admins if it cannot be relied on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from ctms.accounts.mail import MailError, send_mail
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.overdue import list_recipients
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from ctms.machine.backups.databases import get_own_database
from ctms.machine.backups.drill import examine_backup, keep_drill
from ctms.machine.backups.making import find_folder

if TYPE_CHECKING:
    from ctms.machine.models import RestoreDrill

DRILL_JOB_KEY = "restore_drill"
_SIGN_OF_LIFE_SECONDS = 10
_PART = "rows"


def register_drill_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=DRILL_JOB_KEY,
            name="Restore Drill",
            list_units=list_drill_units,
            execute=run_drill,
            frequency=Frequency.CRON,
            cron="0 5 1 * *",
            about="Restores the last backup of BACKUP_FOLDER into a scratch database, compares every table with the "
            "backup's manifest, verifies the audit trail and reads every secret. The report is under Restore Drills. "
            "Who manages jobs is told by e-mail if the backup cannot be relied on.",
            idle="BACKUP_FOLDER names no folder",
            part_labels={_PART: "Rows"},
        )
    )


def list_drill_units() -> list[JobUnit]:
    """Return the one unit if this installation says where its backups are."""
    return [JobUnit(key="all", label="")] if settings.BACKUP_FOLDER else []


def run_drill(context: RunContext) -> RunOutcome:
    """Do the drill. Raises BackupError if there is no backup, and the errors of its lease."""
    folder, database = find_folder(Path(settings.BACKUP_FOLDER)), get_own_database()
    with ThreadPoolExecutor(max_workers=1) as executor:
        # The thread is at work for as long as the database is large; the run gives signs of life meanwhile.
        work = executor.submit(examine_backup, folder, database=database)
        while not wait([work], timeout=_SIGN_OF_LIFE_SECONDS).done:
            with transaction.atomic():
                context.lease.renew()
    found = work.result()
    context.lease.stop_if_run_out()
    drill = keep_drill(found)
    if drill.succeeded:
        state, message = RunState.SUCCEEDED, f"The backup {drill.backup} can be relied on."
    else:
        state = RunState.FAILED
        message = f"The backup {drill.backup} cannot be relied on: {found.problems[0]}{_tell_admins(context, drill)}"
    return RunOutcome(
        state=state, message=message, result={_PART: {"restored": found.figures.get("rows", 0)}}, log=drill.report
    )


def _tell_admins(context: RunContext, drill: RestoreDrill) -> str:
    """Send the report; return what to add to the run's message if it was not sent."""
    recipients = list_recipients(context.run.definition)
    try:
        if recipients:
            send_mail(subject="A backup cannot be relied on", text=f"{drill.report}\n", to=recipients)
    except MailError as error:
        return f" {error}"
    return ""
