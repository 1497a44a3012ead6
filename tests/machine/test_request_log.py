"""The lines of requests do not fill the terminal of a Vault on one machine: they are in a file of the installation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_ASK = """
import django
django.setup()
import structlog
from django.test import Client
Client(raise_request_exception=False, SERVER_NAME="localhost").get("/nothing-here/")
logger = structlog.get_logger("ctms.core.request_log")
logger.error("request_failed")
structlog.get_logger("ctms.jobs").info("something_else")
"""


def test_requests_go_to_a_file_and_their_errors_to_the_terminal_too(tmp_path: Path) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.embedded",
        "VAULT_VAR_DIR": str(tmp_path / "vault"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    told = done.stdout + done.stderr
    written = (tmp_path / "vault" / "requests.log").read_text(encoding="utf-8")
    assert "path=/nothing-here/" in written
    assert "request_failed" in written
    assert "something_else" not in written
    assert "path=/nothing-here/" not in told
    assert "request_failed" in told
    assert "something_else" in told
