"""The one reader of the environment. It collects everything that is wrong, and tells it all at once.

A settings module asks `env` for each variable and goes on with a default where a value is refused; its last line,
`env.judge()`, ends the process with exit code 1 and a list: variable, value (never of a secret), remedy. A secret may
also be in a file, which `NAME_FILE` names, as Docker and Kubernetes hand them in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_LONGEST_SHOWN: Final = 60
_TRUE: Final = ("1", "true", "yes", "on", "y")
_FALSE: Final = ("0", "false", "no", "off", "n")
_LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a variable. `value` is None if it is a secret, not set, or better not shown."""

    variable: str
    value: str | None = None
    remedy: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.variable}: {self.remedy}"
        shown = self.value if len(self.value) <= _LONGEST_SHOWN else f"{self.value[:_LONGEST_SHOWN]}…"
        return f"{self.variable} is {shown!r}: {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that was asked for. A secret one is never shown, and may be in a file."""

    name: str
    is_secret: bool
    is_required: bool


class Environment:
    """Reads variables of `values`; what cannot be read is kept in `problems`, and the default is returned."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._problems: dict[str, Problem] = {}
        self.variables: dict[str, Variable] = {}

    def read(
        self, name: str, parse: Callable[[str], T], *, default: T, is_secret: bool = False, reads_empty: bool = False
    ) -> T:
        """Return what `parse` makes of a variable; `default` if it is not set, or empty.

        `parse` raises ValueError with the remedy, in words that hold nothing of a secret. With `reads_empty` it gets
        an empty value as well.
        """
        self.variables.setdefault(name, Variable(name=name, is_secret=is_secret, is_required=False))
        found = self._find(name, is_secret=is_secret)
        if found is None or not (found or reads_empty):
            return default
        return self._parse(name, found, parse, instead=default, is_secret=is_secret)

    def require(self, name: str, parse: Callable[[str], T], *, remedy: str, instead: T, is_secret: bool = False) -> T:
        """Return what `parse` makes of a variable that must be set; `instead`, to go on with, if there is a problem."""
        self.variables[name] = Variable(name=name, is_secret=is_secret, is_required=True)
        found = self._find(name, is_secret=is_secret)
        if not found:
            if f"{name}_FILE" not in self._problems:
                self.refuse(name, f"It is {'not set' if found is None else 'empty'}. {remedy}")
            return instead
        return self._parse(name, found, parse, instead=instead, is_secret=is_secret)

    def refuse(self, name: str, remedy: str, *, value: str | None = None) -> None:
        """Keep a problem; of several of a variable, the last. Call it for what shows once several values are known."""
        self._problems[name] = Problem(variable=name, value=value, remedy=remedy)

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, a problem for each variable."""
        return list(self._problems.values())

    def has(self, name: str) -> bool:
        """Whether a variable, or the file that holds it, is set and not empty."""
        return bool(self._values.get(name) or self._values.get(f"{name}_FILE"))

    def judge(self) -> None:
        """End the process with exit code 1 and the list of all problems, if there are any."""
        if self.problems:
            sys.stderr.write(describe_problems(self.problems))
            raise SystemExit(1)

    # -- Kinds of values
    def text(self, name: str, *, default: str = "", is_secret: bool = False) -> str:
        """Return a text, without the space around it; that of a secret stays."""
        return self.read(name, str if is_secret else str.strip, default=default, is_secret=is_secret)

    def integer(self, name: str, *, default: int, least: int = 0, most: int = _LARGEST) -> int:
        """Return a whole number from `least` to `most`."""

        def parse(text: str) -> int:
            digits = text.strip()
            if not (digits.isascii() and digits.isdecimal() and least <= int(digits[:18]) <= most):
                raise ValueError(f"Write a whole number from {least} to {most:,}, without other signs.")
            return int(digits)

        return self.read(name, parse, default=default)

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return whether something is on."""

        def parse(text: str) -> bool:
            word = text.strip().lower()
            if word not in _TRUE + _FALSE:
                raise ValueError("Write true or false.")
            return word in _TRUE

        return self.read(name, parse, default=default)

    def choice(self, name: str, choices: Sequence[str], *, default: str) -> str:
        """Return one of some words; upper and lower case are the same."""

        def parse(text: str) -> str:
            for choice in choices:
                if choice.lower() == text.strip().lower():
                    return choice
            raise ValueError(f"Write {', '.join(choices[:-1])} or {choices[-1]}.")

        return self.read(name, parse, default=default)

    def items(
        self,
        name: str,
        parse: Callable[[str], T],
        *,
        default: Sequence[T] = (),
        reads_empty: bool = False,
    ) -> list[T]:
        """Return what `parse` makes of each part of a list that is separated by commas."""
        return self.read(
            name, lambda text: [parse(part) for part in split(text)], default=list(default), reads_empty=reads_empty
        )

    # -- Where values come from
    def _find(self, name: str, *, is_secret: bool) -> str | None:
        """Return the text of a variable, or of the file that holds it; None if it is not set, or cannot be read."""
        value = self._values.get(name)
        path = self._values.get(f"{name}_FILE") if is_secret else None
        if not path:
            return value if value is None or value.strip() else ""
        if value:
            self.refuse(f"{name}_FILE", f"{name} is set as well. Unset one of them.")
            return None
        try:
            return read_secret_file(path)
        except ValueError as error:
            self.refuse(f"{name}_FILE", str(error), value=path)
            return None

    def _parse(self, name: str, text: str, parse: Callable[[str], T], *, instead: T, is_secret: bool) -> T:
        try:
            return parse(text)
        except ValueError as error:
            may_hold_password = "://" in text and "@" in text
            self.refuse(name, str(error), value=None if is_secret or may_hold_password else text)
            return instead


def split(text: str) -> list[str]:
    """Return the parts of a list that is separated by commas, without empty ones."""
    return [part for each in text.split(",") if (part := each.strip())]


def take_secret(name: str) -> str:
    """Return a secret of the environment, or of the file that `NAME_FILE` names; empty if neither is set.

    The environment loses the secret, so that no process that is started later inherits it. Raises ValueError, which
    names the variable and what to do.
    """
    value, path = os.environ.pop(name, ""), os.environ.get(f"{name}_FILE", "")
    if value and path:
        raise ValueError(f"{name}_FILE: {name} is set as well. Unset one of them.")
    try:
        return read_secret_file(path) if path else value
    except ValueError as error:
        raise ValueError(f"{name}_FILE is {path!r}: {error}") from None


def read_secret_file(path: str) -> str:
    """Return the text of a file without the end of its last line. Raises ValueError with the remedy."""
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise ValueError("There is no such file. Correct the path, or mount the file there.") from None
    except UnicodeDecodeError:
        raise ValueError("The file is no text. Write the secret into it, and nothing else.") from None
    except OSError as error:
        raise ValueError(
            f"The file cannot be read ({error.strerror}). Give the user of this process the right to read it."
        ) from None
    if not text.strip():
        raise ValueError("The file is empty. Write the secret into it, and nothing else.")
    return text


def describe_problems(problems: Sequence[Problem]) -> str:
    """Return the list that an operator reads: a line for each problem."""
    count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    return "\n".join(
        [
            f"The Vault does not start: {count} wrong.",
            *(f"  {problem}" for problem in problems),
            "Correct this in the environment of the process, and start it again. README.md lists all variables.",
            "",
        ]
    )


env = Environment(os.environ)
