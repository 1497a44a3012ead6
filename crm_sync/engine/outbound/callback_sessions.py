"""Hand the call-back session of a run to the CRM, beside the payloads of its records or in a request header.

It is in no payload, so that digests, attempts and exception items neither change with it nor hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from connections.callbacks import explain_no_callback, issue_session
from crm_sync.crm.exchanges import MASK
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm_sync.engine.outbound.batches import Batch
    from crm_sync.engine.run_session import IntegrationSession


def hand_over_session(session: IntegrationSession, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches; before one with records, see to a call-back session that is good for a while yet.

    Runs in the job's thread, because it uses the database. A run that sends nothing issues none, nor does a dry run;
    one that shows its calls has a placeholder where the session would be.
    """
    for batch in batches:
        if batch.items and _is_asked_for(session):
            if session.run.dry_run is None:
                _renew(session)
            else:
                _put_placeholder(session)
            if session.plan.callback is not None:
                # Without a session the field is emptied, so that no old one stays in it.
                batch.handed = {session.plan.callback.target: session.run.callback_text}
        yield batch


def _is_asked_for(session: IntegrationSession) -> bool:
    dry_run, connection = session.run.dry_run, session.integration.connection
    is_shown = dry_run is None or dry_run.is_rehearsal
    return is_shown and bool(session.plan.callback or connection.callback_header)


def _put_placeholder(session: IntegrationSession) -> None:
    run, connection = session.run, session.integration.connection
    run.callback_text = "" if explain_no_callback(connection) else MASK
    run.crm.carry_secret(run.callback_text, header=connection.callback_header)


def _renew(session: IntegrationSession) -> None:
    run, connection = session.run, session.integration.connection
    if run.callback_ends is not None and run.callback_ends > get_now():
        return
    with transaction.atomic():
        run.renew_lease()
        issued = issue_session(
            connection_id=connection.pk, run_reference=f"run {run.run.pk}" if run.run is not None else ""
        )
    run.callback_text = ""
    if issued is not None:
        issued_session, run.callback_text = issued
        # The next one is issued at half-time, so that what is sent is always good for a while.
        run.callback_ends = issued_session.issued_at + (issued_session.expires_at - issued_session.issued_at) / 2
    run.crm.carry_secret(run.callback_text, header=connection.callback_header)
