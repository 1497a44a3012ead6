"""The management command crm_sandbox, run as a process of its own."""

import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.serving.certificates import write_certificates
from crm_sync.sandbox.serving.server import bind_socket
from tests.servers import find_free_ports

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120  # seconds: a busy machine takes long to start a process


def start_command(*arguments: str) -> subprocess.Popen[str]:
    """Start `manage.py crm_sandbox`."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "crm_sandbox", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running_command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command and make sure that it has ended afterwards."""
    process = start_command(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(url: str, *, verify: str | bool = True) -> requests.Response:
    """Return the first answer of a server that is starting."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return requests.get(url, timeout=PATIENCE, verify=verify)
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_organisations_are_served_on_successive_ports_until_sigterm(tmp_path: Path) -> None:
    port = find_free_ports(2)[0]
    with running_command("--org", "na", "--org", "emea", "--port", str(port), "--data-dir", str(tmp_path)) as process:
        for offset, name in enumerate(("na", "emea")):
            health = wait_for(f"http://127.0.0.1:{port + offset}/_sandbox/health").json()
            assert health == {"status": "ok", "organisation": name}
        log_in = json.loads((tmp_path / "emea.credentials.json").read_text())
        assert stat.S_IMODE((tmp_path / "emea.credentials.json").stat().st_mode) == 0o600
        token = requests.post(
            f"{log_in['base_url']}/services/oauth2/token",
            data={
                "grant_type": "password",
                **{key: log_in[key] for key in ("client_id", "client_secret", "username", "password")},
            },
            timeout=PATIENCE,
        )
        assert token.json()["instance_url"] == f"http://127.0.0.1:{port + 1}"
        process.terminate()
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert f"CRM organisation na: http://127.0.0.1:{port}" in output
    assert output.endswith("CRM sandbox stopped.\n")
    for secret in ("password", "client_secret", "security_token"):
        assert log_in[secret] not in output


def test_https_with_an_authority_of_its_own_until_ctrl_c(tmp_path: Path) -> None:
    port = find_free_ports(2)[0]
    options = ["--port", str(port), "--data-dir", str(tmp_path), "--tls", "--tls-host", "a.test"]
    with running_command("--org", "na", *options) as process:
        authority = tmp_path / "tls" / "ca.pem"
        deadline = time.monotonic() + PATIENCE
        while not authority.is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert wait_for(f"https://localhost:{port}/services/data", verify=str(authority)).status_code == 200
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert f"Clients must trust {authority}" in output


def test_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with running_command("--org", "na", "--port", str(port), "--data-dir", str(tmp_path)) as process:
            output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (1, "")
    assert f"Organisation na cannot listen on 127.0.0.1:{port}: Address already in use." in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "can be reached from other machines"),  # noqa: S104  refusing it is the point
        (["--host", "crm.example"], "can be reached from other machines"),
        (["--org", "../na"], "use letters, digits, hyphens and underscores only"),
        (["--port", "70000"], "cannot listen on 127.0.0.1:70000"),
    ],
)
def test_what_is_not_meant_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("crm_sandbox", *arguments, "--data-dir", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_certificates_are_kept_until_other_hosts_are_asked_for(tmp_path: Path) -> None:
    first = write_certificates(tmp_path).certificate.read_bytes()
    assert write_certificates(tmp_path).certificate.read_bytes() == first
    paths = write_certificates(tmp_path, hosts=["localhost", "na.test"])
    assert paths.certificate.read_bytes() != first
    assert stat.S_IMODE(paths.private_key.stat().st_mode) == 0o600


def test_a_taken_port_stops_a_running_sandbox_before_it_starts(tmp_path: Path) -> None:
    with bind_socket(host="127.0.0.1", port=0) as listener, pytest.raises(OSError, match="in use"):
        RunningSandbox(data_dir=tmp_path, port=listener.getsockname()[1]).__enter__()
