"""The documents name files and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
APPS = "activities|connections|crm_sync|ctms|exceptions_log|templates|tests|docs"
PATH = re.compile(rf"(?<![\w/.-])(?:{APPS})/[\w./-]*[\w/]")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)`|`(test_\w+)`")


def list_documents() -> list[str]:
    found = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]
    return sorted(str(each.relative_to(REPOSITORY)) for each in found)


@pytest.mark.parametrize("name", list_documents())
def test_every_path_that_a_document_names_exists(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    named = {each for each in PATH.findall(text) if not (REPOSITORY / each).exists()}
    linked = {each for each in LINK.findall(text) if not (REPOSITORY / name).parent.joinpath(each).exists()}
    assert named | linked == set()


def test_every_test_that_the_requirements_name_exists() -> None:
    missing, content = [], ""
    for file_name, test_name in NAMED_TEST.findall((REPOSITORY / "docs/requirements.md").read_text()):
        if file_name:
            content = (REPOSITORY / file_name).read_text()
        elif f"def {test_name}(" not in content:
            missing.append(test_name)
    assert missing == []


def test_the_index_of_decisions_has_each_of_them() -> None:
    folder = REPOSITORY / "docs/decisions"
    assert {each.name for each in folder.glob("[0-9]*.md")} == set(LINK.findall((folder / "README.md").read_text()))
