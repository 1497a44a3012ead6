"""What gunicorn reads from the folder that it is started in: the same with Docker, systemd and Kubernetes.

An option on the command line goes before, such as `--bind 0.0.0.0:8000` in a container.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ctms.core.log_setup import build_logging

bind = "127.0.0.1:8000"
workers = int(os.environ.get("WEB_CONCURRENCY", "3"))  # gunicorn's own variable
threads = 4
# Requests that are under way at SIGTERM may take so long to end; less than what stops a container or a unit by force.
graceful_timeout = 25
timeout = 60
# The Vault reads X-Forwarded-… itself, from TRUSTED_PROXIES alone.
forwarded_allow_ips = ""
# A heartbeat file on a disk that hangs would look like a worker that hangs.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  gunicorn makes a file of its own there


def on_starting(_server: Any) -> None:
    """End before any worker starts if the settings are wrong: they are told once, and the exit code is 1.

    In a process of its own, so that workers read what has changed when gunicorn is told to start them again (HUP).
    """
    judge = [sys.executable, "-c", "import ctms; from django.conf import settings; settings.DEBUG"]
    if subprocess.run(judge, check=False).returncode:  # noqa: S603  nothing of it comes from outside
        sys.exit(1)


# Lines of gunicorn itself are like all others. It reads no settings, so that workers read what has changed (HUP).
logconfig_dict = build_logging(renderer="json", level="INFO")
