"""The CRM sandbox as others install it: the wheel that is built of the project, with the packages of its extra alone.

Python is started without its usual packages (`-S`), so that neither the Vault nor Django can be imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from tests.crm_sync.sandbox.test_command import PATIENCE, ROOT, wait_for
from tests.installed_packages import link_with_needs
from tests.servers import find_free_ports

pytestmark = pytest.mark.system

TEST_OF_SOMEBODY = """
import sys
import urllib.parse
import urllib.request

def test_an_organisation_is_served(crm_sandbox):
    app = crm_sandbox.connected_app
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{crm_sandbox.base_url}/services/oauth2/token", body, timeout=120) as answer:
        assert answer.status == 200
    assert crm_sandbox.request_log.count(path_contains="/services/oauth2/token") == 1
    assert crm_sandbox.organisation.schema.find("Contact") is not None
    assert "django" not in sys.modules
"""
TEST_WITHOUT_SANDBOX = """
import sys

def test_nothing_is_loaded_where_nobody_asks_for_it():
    assert "crm_sync.sandbox.pytest_plugin" in sys.modules
    assert "starlette" not in sys.modules
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    run_uv("build", "--wheel", "--out-dir", str(folder), str(ROOT))
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel, the packages of its extra, and pytest."""
    folder = tmp_path_factory.mktemp("installation")
    run_uv("pip", "install", "--no-deps", "--python", sys.executable, "--target", str(folder), str(wheel))
    with ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        needs = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    link_with_needs(needs, extra="sandbox", folder=folder)
    link_with_needs(["pytest"], folder=folder)
    return folder


def run_uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", *arguments, "--offline", "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def start_python(installation: Path, *arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-S", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installation), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_wheel_has_the_sandbox_and_nothing_of_the_vault(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/") and ".dist-info/" not in name}
    tree = ROOT / "crm_sync" / "sandbox"
    # Beside this test, other processes compile modules, with files of other names meanwhile.
    files = {path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {"crm_sync/__init__.py", *(path.relative_to(ROOT).as_posix() for path in files)}


@pytest.mark.parametrize("name", ["django", "ctms", "requests"])
def test_what_the_sandbox_does_not_need_is_not_there(installation: Path, tmp_path: Path, name: str) -> None:
    with start_python(installation, "-c", f"import {name}", folder=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert f"No module named '{name}'" in errors


def test_the_program_serves_api_and_pages_until_it_is_stopped(installation: Path, tmp_path: Path) -> None:
    port = find_free_ports(2)[0]
    program = [str(installation / "bin" / "crm-sandbox"), "--org", "na", "--port", str(port)]
    with start_python(installation, *program, folder=tmp_path) as process:
        try:
            assert wait_for(f"http://127.0.0.1:{port}/_sandbox/health").json()["status"] == "ok"
            for page in ("", "accounts", "calls/new", "misbehaviour", "recycle-bin", "log", "style.css"):
                assert requests.get(f"http://127.0.0.1:{port}/{page}", timeout=PATIENCE).status_code == 200, page
            log_in = json.loads((tmp_path / "var" / "crm_sandbox" / "na.credentials.json").read_text())
            process.terminate()
            output, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert f"CRM organisation na: {log_in['base_url']}" in output
    assert output.endswith("CRM sandbox stopped.\n")


def test_the_program_says_what_it_cannot_do(installation: Path, tmp_path: Path) -> None:
    program = str(installation / "bin" / "crm-sandbox")
    with start_python(installation, program, "--org", "../na", folder=tmp_path) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (1, "")
    assert errors == "--org ../na: use letters, digits, hyphens and underscores only.\n"


@pytest.mark.parametrize("text", [TEST_OF_SOMEBODY, TEST_WITHOUT_SANDBOX], ids=["fixture", "no fixture"])
def test_pytest_finds_the_fixture(installation: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "test_somebody.py").write_text(text, encoding="utf-8")
    with start_python(installation, "-m", "pytest", "-p", "no:cacheprovider", folder=tmp_path) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output + errors
    assert "1 passed" in output
