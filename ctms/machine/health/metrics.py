"""Figures in Prometheus' text format, read from the database and the queue when they are asked for.

So they are the same from every web process, and none keeps any. Source: "Exposition formats", prometheus.io.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

import structlog
from django.db import DatabaseError

from ctms.machine.health.probes import Answer, ask_all

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure with its samples: labels and value each. `kind` is `gauge` or `counter`."""

    name: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)
    kind: str = "gauge"


Source = Callable[[], Iterable[Metric]]
_sources: list[Source] = []


def register_metrics(source: Source) -> None:
    """Add figures that need the database. Call it from `AppConfig.ready()`."""
    if source not in _sources:
        _sources.append(source)


def write_metrics() -> str:
    """Return all figures; without the database, those that say so."""
    started = perf_counter()
    answers = ask_all()
    metrics = [
        Metric(
            name="vault_up",
            help="1 if this part answers: database, migrations (all applied), redis.",
            samples=[({"part": name}, float(answer is Answer.OK)) for name, answer in answers.items()],
        )
    ]
    took: list[tuple[Mapping[str, str], float]] = [({"check": "probes"}, perf_counter() - started)]
    if answers["database"] is Answer.OK:
        for source in _sources:
            started = perf_counter()
            try:
                metrics += source()
            except DatabaseError as error:  # the others are worth having
                log.warning("metrics_not_read", source=source.__name__, error=type(error).__name__)
            took.append(({"check": source.__name__}, perf_counter() - started))
    metrics.append(Metric(name="vault_check_seconds", help="How long reading these figures took.", samples=took))
    return "".join(_write(metric) for metric in metrics)


def _write(metric: Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
    for labels, value in metric.samples:
        inside = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
        lines.append(f"{metric.name}{{{inside}}} {value:.10g}" if inside else f"{metric.name} {value:.10g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
