"""Keep measured figures as lines of JSON, and render them as docs/benchmarks.md.

`python -m tests.benchmarks.figures` renders; `make bench` measures and renders. A figure that is measured again takes
the place of the earlier one, so that some benchmarks can be run without losing the figures of the others.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
KEPT: Final = REPOSITORY / "docs" / "benchmarks.jsonl"
PAGE: Final = REPOSITORY / "docs" / "benchmarks.md"
VARIABLE: Final = "BENCHMARK_FIGURES"
PEERS: Final = "Peers"

_HEAD = """# Benchmarks

Measured by `make bench`, which writes each figure to [`benchmarks.jsonl`](benchmarks.jsonl) and renders this page from
it; nobody edits it. Figures are ratios within one run wherever they can be, because these hold on other machines. The
Vault's database is PostgreSQL, the CRM is the sandbox in a process of its own, on the same machine.

## Figures and bars
"""
_PEERS = """
## Peers, side by side

The same records to the same sandbox with the same delay, within one run.
"""
_NOT_HAD = """
Not measured: *django-salesforce*; the bulk interface of *simple-salesforce*, whose jobs of the Bulk API the sandbox
does not have; a *tap* and *target* of Singer (`target-salesforce` is not to be had as a package).
"""


def keep_figure(*, key: str, row: str, what: str, figure: str, bar: str) -> None:
    """Write a figure as a line to the file that BENCHMARK_FIGURES names; nothing if it names none."""
    named = os.environ.get(VARIABLE)
    if not named:
        return
    line = {
        "key": key,
        "row": row,
        "what": what,
        "figure": figure,
        "bar": bar,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": describe_machine(),
        "command": f"make bench BENCHMARKS={key.partition('#')[0].partition('::')[0]}",
    }
    with (REPOSITORY / named).open("a") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def describe_machine() -> str:
    """Return processor, number of processors, memory and Python version."""
    found = re.search(r"model name\s*: (.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    name = found[1] if found else platform.machine()
    size = f", {int(memory[1]) / 2**20:.0f} GB" if memory else ""
    return f"{os.cpu_count()} × {name}{size}, Python {platform.python_version()}"


def _read(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""


def render(lines: list[dict[str, Any]]) -> str:
    """Return the page, with the last figure of each key."""
    latest = {line["key"]: line for line in lines}
    ordered = sorted(latest.values(), key=lambda line: (_split(line["row"]), line["key"]))
    machines = list(dict.fromkeys(line["machine"] for line in ordered))
    own = [line for line in ordered if line["row"] != PEERS]
    peers = [line for line in ordered if line["row"] == PEERS]
    parts = [_HEAD, _render_table(own, machines)]
    if peers:
        parts += [_PEERS, _render_table(peers, machines), _NOT_HAD]
    parts += ["\n## Machines\n", *(f"{number}. {machine}" for number, machine in enumerate(machines, start=1))]
    return "\n".join(parts) + "\n"


def _render_table(lines: list[dict[str, Any]], machines: list[str]) -> str:
    rows = ["| row | what | figure | bar | date | machine | command |", "|---|---|---:|---|---|---|---|"]
    rows += [
        f"| {line['row']} | {line['what']} | {line['figure']} | {line['bar']} | {line['date']} "
        f"| {machines.index(line['machine']) + 1} | `{line['command']}` |"
        for line in lines
    ]
    return "\n".join(rows)


def _split(row: str) -> tuple[str, int]:
    """Return letters and number of a row, so that P9 comes before P10."""
    letters = row.rstrip("0123456789")
    return letters, int(row[len(letters) :] or 0)


def main() -> None:
    """Render the page, and leave in the file the last line of each figure alone."""
    lines = [json.loads(line) for line in KEPT.read_text().splitlines()]
    latest = {line["key"]: line for line in lines}
    KEPT.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in latest.values()))
    PAGE.write_text(render(lines))


if __name__ == "__main__":
    main()
