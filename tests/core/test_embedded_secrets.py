from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ctms.core.embedded_secrets import load_or_create_secrets, make_private_folder
from ctms.core.encryption import parse_key_ring
from ctms.core.errors import EncryptionKeyError

pytestmark = pytest.mark.system

LOAD = """
import json, sys
from pathlib import Path
from ctms.core.embedded_secrets import load_or_create_secrets, make_private_folder
sys.stdin.readline()
print(json.dumps(load_or_create_secrets(path=Path(sys.argv[1]))))
"""


def test_secrets_are_made_once_and_read_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_create_secrets(path=path)
    assert load_or_create_secrets(path=path) == made
    assert len(made["secret_key"]) >= 50
    assert list(parse_key_ring([made["field_encryption_key"]])) == ["embedded"]


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    first, second = (load_or_create_secrets(path=tmp_path / name) for name in ("a.json", "b.json"))
    assert set(first.values()).isdisjoint(second.values())


def test_the_file_is_readable_by_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_create_secrets(path=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOAD, str(tmp_path / "secrets.json")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate()[0]) for process in processes]
    assert answers == [answers[0]] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"secret_key": "x"}', "null"])
def test_a_damaged_file_is_an_error_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(EncryptionKeyError, match=r"secrets\.json is damaged\. Restore it from a backup"):
        load_or_create_secrets(path=path)
    assert path.read_text() == content


@pytest.mark.parametrize("mode", [None, 0o755])
def test_the_folder_of_all_data_is_its_owners_alone(tmp_path: Path, mode: int | None) -> None:
    folder = tmp_path / "var"
    if mode is not None:
        folder.mkdir(mode)
    make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
