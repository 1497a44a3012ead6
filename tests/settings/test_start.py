"""How every process starts, or says why not: web server, worker, beat, commands; secrets in files; whose settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctms.settings.environment import take_secret
from tests.settings.test_production import COMPLETE, SECRET_KEY, read_settings, refuse_to_start, run_python

pytestmark = pytest.mark.system

WRONG = COMPLETE | {"SECRET_KEY": "$canary", "DATABASE_URL": "postgres://vault:can#ary@db/vault", "REDIS_URL": ""}
CANNOT_CONNECT = COMPLETE | {"DATABASE_URL": "postgres://vault:x@127.0.0.1:1/vault"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "gunicorn", "ctms.wsgi", "--bind", "127.0.0.1:0", "--workers", "3"),
        ("-m", "celery", "--app", "ctms", "worker"),
        ("-m", "celery", "--app", "ctms", "beat"),
        ("manage.py", "migrate"),
    ],
)
def test_each_process_ends_with_one_list_and_without_a_traceback(arguments: tuple[str, ...]) -> None:
    done = run_python("", *arguments, environment=WRONG)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert said.count("The Vault does not start: 3 settings are wrong.") == 1
    assert [name for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL") if said.count(f"\n  {name}: ") != 1] == []
    assert "Traceback" not in said
    assert "ary" not in said.replace("necessary", "")


def test_a_web_server_without_its_file_gives_up_instead_of_starting_workers_without_end(tmp_path: Path) -> None:
    arguments = ("-m", "gunicorn", "ctms.wsgi", "--config", "/dev/null", "--bind", "127.0.0.1:0")
    done = run_python("", *arguments, environment=WRONG)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["flush", "loaddata", "testserver", "runserver", "makemigrations", "crm_sandbox", "demo"]
)
def test_commands_of_development_are_refused_in_production(command: str) -> None:
    arguments = {"loaddata": ["x.json"], "testserver": ["x.json"], "crm_sandbox": ["--org", "na"]}.get(command, [])
    done = run_python("", "manage.py", command, *arguments, environment=CANNOT_CONNECT)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: This command is refused in production. ")
    assert done.stderr.endswith(" Nothing was done.\n")


def test_values_of_production_without_its_settings_start_nothing(tmp_path: Path) -> None:
    environment = {"SECRET_KEY": SECRET_KEY, "REDIS_URL_FILE": "/run/redis", "VAULT_VAR_DIR": str(tmp_path / "var")}
    done = run_python("", "manage.py", "check", environment=environment)
    assert done.returncode == 1
    assert "DJANGO_SETTINGS_MODULE: It is not set, but SECRET_KEY, REDIS_URL are." in done.stderr
    assert not (tmp_path / "var").exists()
    key = run_python("", "manage.py", "create_encryption_key", "--settings=ctms.settings.base", environment=environment)
    assert (key.returncode, key.stderr) == (0, "")


def test_settings_that_do_not_exist_are_named() -> None:
    done = run_python("", "manage.py", "check", environment={"DJANGO_SETTINGS_MODULE": "ctms.settings.prod"})
    assert done.returncode == 1
    assert "DJANGO_SETTINGS_MODULE is 'ctms.settings.prod': There is no such module." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = run_python("", "manage.py", "check", environment={"VAULT_VAR_DIR": "/proc/vault"})
    assert done.returncode == 1
    assert "VAULT_VAR_DIR is '/proc/vault': This user cannot write there" in done.stderr


# -- Secrets in files
def test_a_secret_is_read_from_a_file_without_the_end_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET_KEY}$#\n")
    values = {name: value for name, value in COMPLETE.items() if name != "SECRET_KEY"}
    done = run_python(
        "from django.conf import settings; print(settings.SECRET_KEY)",
        environment=values | {"SECRET_KEY_FILE": str(tmp_path / "key")},
    )
    assert done.stdout == f"{SECRET_KEY}$#\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no such file."),
        (b"", "The file is empty."),
        (b"\n", "The file is empty."),
        (b"\xff\xfe\x00", "The file is no text."),
    ],
)
def test_a_file_that_holds_no_secret_is_said(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    environment = {name: value for name, value in COMPLETE.items() if name != "SECRET_KEY"}
    (line,) = refuse_to_start(environment | {"SECRET_KEY_FILE": str(path)})
    assert line.startswith("SECRET_KEY_FILE is ")
    assert said in line


def test_a_secret_and_its_file_are_not_both_set(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET_KEY)
    assert refuse_to_start(COMPLETE | {"SECRET_KEY_FILE": str(tmp_path / "key")}) == [
        "SECRET_KEY_FILE: SECRET_KEY is set as well. Unset one of them."
    ]


def test_a_folder_is_no_file_of_a_secret(tmp_path: Path) -> None:
    environment = {name: value for name, value in COMPLETE.items() if name != "REDIS_URL"}
    (line,) = refuse_to_start(environment | {"REDIS_URL_FILE": str(tmp_path)})
    assert "The file cannot be read (Is a directory)." in line


def test_a_secret_that_is_taken_is_in_the_environment_no_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CANARY", "from the environment")
    assert (take_secret("CANARY"), take_secret("CANARY")) == ("from the environment", "")
    (tmp_path / "file").write_text("from a file\n")
    monkeypatch.setenv("CANARY_FILE", str(tmp_path / "file"))
    assert take_secret("CANARY") == "from a file"
    monkeypatch.setenv("CANARY", "both")
    with pytest.raises(ValueError, match="CANARY_FILE: CANARY is set as well"):
        take_secret("CANARY")


def test_dollars_and_signs_of_a_secret_stay_as_they_are() -> None:
    (secret,) = read_settings("OIDC_CLIENT_SECRET", OIDC_CLIENT_SECRET="$SECRET_KEY#x ")
    assert secret == "$SECRET_KEY#x "
