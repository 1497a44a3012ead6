"""`make bench` runs every benchmark with the Vault on PostgreSQL, where unmarked tests are left out."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_says_that_it_belongs_on_postgresql(name: str) -> None:
    marks = importlib.import_module(f"tests.benchmarks.{name}").pytestmark
    assert {mark.name for mark in marks} & {"postgresql", "both_databases"}
