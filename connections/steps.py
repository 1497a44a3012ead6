"""The configuration steps of connections."""

from __future__ import annotations

from connections.models import ConnectionAuthorization
from connections.models.authorizations import BASIC_AUTH
from connections.objects import ENTER_CONNECTED_APP_DETAILS
from ctms.configuration.step_kinds import StepText, build_action_step
from ctms.configuration.steps import register_step


def register_connection_steps() -> None:
    """Called once, when the app is ready."""
    register_step(
        build_action_step(
            text=StepText(
                key="connected_app_action",
                title="Enter Connected App Details action",
                why="Admins enter the consumer key and secret of the CRM's connected app by this action.",
                section="Connection setup: configuration",
                position=400,
            ),
            object_name=ConnectionAuthorization.object_name,
            object_type=BASIC_AUTH,
            action_name=ENTER_CONNECTED_APP_DETAILS,
        )
    )
