"""`make changed` runs what a change touches, and rather too much than too little."""

from __future__ import annotations

import pytest

from tests.changed import find_touched_tests
from tests.imports import ROOT


def list_touched(*changed: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in find_touched_tests(changed)}


def test_a_module_touches_the_tests_that_import_it_and_those_beside_it() -> None:
    touched = list_touched("ctms/core/json_text.py")
    assert {"tests/core/test_json_text.py", "tests/core/test_clock.py"} <= touched
    assert "tests/test_servers.py" not in touched


def test_a_module_that_only_pages_reach_touches_the_tests_of_its_folder() -> None:
    assert "tests/accounts/test_views.py" in list_touched("ctms/accounts/views.py")


def test_a_template_touches_the_tests_of_its_app_and_a_test_module_itself() -> None:
    assert "tests/records/lists/test_list_pages.py" in list_touched("templates/records/anything.html")
    assert list_touched("tests/test_servers.py") == {"tests/test_servers.py"}


@pytest.mark.parametrize(
    "path",
    [
        "connections/migrations/0001_initial.py",
        "ctms/settings/base.py",
        "ctms/urls.py",
        "pyproject.toml",
        "templates/admin/anything.html",
        "tests/conftest.py",
    ],
)
def test_what_all_tests_stand_on_touches_all(path: str) -> None:
    assert list_touched(path) == {str(found.relative_to(ROOT)) for found in (ROOT / "tests").rglob("test_*.py")}


def test_documents_touch_none_and_files_of_the_root_the_tests_of_the_root() -> None:
    assert list_touched("docs/admin.md") == set()
    assert list_touched("Makefile") == {str(found.relative_to(ROOT)) for found in (ROOT / "tests").glob("test_*.py")}
