"""The original that every test process copies is made anew when anything changes that its tables depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import databases
from tests.databases import compute_fingerprint
from tests.imports import ROOT, find_sources


def test_what_a_migration_imports_is_followed_from_file_to_file() -> None:
    sources = find_sources([ROOT / "connections" / "migrations" / "0001_initial.py"])
    names = {str(path.relative_to(ROOT)) for path in sources}
    assert {"connections/migrations/0001_initial.py", "connections/validators.py", "ctms/core/fields.py"} <= names
    assert "ctms/core/encryption.py" in names  # which the fields import
    assert "connections/models.py" not in names


@pytest.mark.parametrize("changed", ["0001_initial.py", "lengths.py"])
def test_another_text_of_a_migration_or_of_what_it_imports_is_another_fingerprint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: str
) -> None:
    texts = {"0001_initial.py": "from lengths import LONGEST\n", "lengths.py": "LONGEST = 80\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(databases, "ROOT", tmp_path)
    monkeypatch.setattr(databases, "find_sources", lambda paths: find_sources(paths, root=tmp_path))
    monkeypatch.setattr(databases, "_list_roots", lambda: [tmp_path / "0001_initial.py"])
    before = compute_fingerprint()
    (tmp_path / changed).write_text(f"{texts[changed]}SHORTEST = 1\n")
    assert compute_fingerprint() != before
    (tmp_path / changed).write_text(texts[changed])
    assert compute_fingerprint() == before
