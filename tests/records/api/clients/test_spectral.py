"""Spectral, which judges OpenAPI documents, has nothing to say about that of the Vault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.records.api.clients.conftest import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.system]

# Addresses of the API end in a slash, as all addresses of the Vault do.
RULES = 'extends: ["spectral:oas"]\nrules: {path-keys-no-trailing-slash: off}\n'


def test_spectral_has_neither_warning_nor_hint(node_modules: Path, document: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    spectral = node_modules / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    told = run(
        "node", spectral, "lint", "--ruleset", "rules.yaml", "--fail-severity", "hint", document, folder=tmp_path
    )
    assert told.startswith("No results with a severity of 'hint' or higher found!")
