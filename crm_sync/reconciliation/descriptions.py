"""Ask a CRM once a day how it describes the objects that the rules name, so that a change is told before it fails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from connections.choices import DescriptionOrigin
from connections.descriptions import list_named_objects, store_description, store_object_list
from crm_sync.crm.errors import CrmError

if TYPE_CHECKING:
    from connections.models import Connection
    from crm_sync.engine.run_session import RunSession


def refresh_descriptions(*, session: RunSession, connection: Connection) -> None:
    """Store the list of objects, and the descriptions of those that the connection's rules name.

    A CRM that fails here leaves what is stored; the reconciliation itself is not concerned.
    """
    try:
        labels = session.pipeline.call(session.crm.list_objects)
        if labels:
            with transaction.atomic():
                session.renew_lease()
                store_object_list(connection=connection, labels=labels)
        for name in list_named_objects(connection):
            described = session.pipeline.call(partial(session.crm.describe, name))
            with transaction.atomic():
                session.renew_lease()
                store_description(connection=connection, name=name, described=described, origin=DescriptionOrigin.DAILY)
    except CrmError:
        return  # tomorrow's run asks again, and the page says when it was described last
