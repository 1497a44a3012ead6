"""The questions for the first admin, in a terminal of their own: what is typed, what is said, what is not shown."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
NAME_QUESTION, EMAIL_QUESTION = "Name: ", "the username, too: "
PASSWORD_QUESTION, AGAIN_QUESTION = "(it is not shown): ", "The same password again: "
ASK = (
    "import django; django.setup()\n"
    "from ctms.machine.first_admin import read_answers\n"
    "answers = read_answers()\n"
    f"print('Heard:', answers.name, answers.email, answers.password == {PASSWORD!r})\n"
)


@dataclass
class Terminal:
    """A process that asks, and the screen on which it does."""

    process: subprocess.Popen[bytes]
    keyboard: int
    screen: str = field(default="")

    def answer(self, question: str, answer: str) -> str:
        """Wait for the question, type the answer, and return what was on the screen up to the question."""
        said = self.read_until(question)
        os.write(self.keyboard, f"{answer}\n".encode())
        return said

    def read_until(self, text: str) -> str:
        """Return the screen up to and with `text`; what follows is for the next reader."""
        while text not in self.screen:
            self.screen = (self.screen + os.read(self.keyboard, 1024).decode()).replace("\r\n", "\n")
        said, _, self.screen = self.screen.partition(text)
        return said + text


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VAULT_ADMIN")}
    with subprocess.Popen(
        [sys.executable, "-c", ASK],
        cwd=REPOSITORY,
        env=environment,
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
    ) as process:
        os.close(screen)
        yield Terminal(process=process, keyboard=keyboard)
        process.kill()
    os.close(keyboard)


def test_each_question_is_asked_again_until_its_answer_is_accepted(terminal: Terminal) -> None:
    terminal.answer(NAME_QUESTION, "")
    assert "Enter one, such as Ada Adams." in terminal.answer(NAME_QUESTION, "Ada Adams")
    terminal.answer(EMAIL_QUESTION, "nonsense")
    assert "'nonsense' is none. Enter one" in terminal.answer(EMAIL_QUESTION, "ada@example.com")
    assert "at least 12 characters" in terminal.answer(PASSWORD_QUESTION, "short")
    assert "This password is too short" in terminal.answer(PASSWORD_QUESTION, PASSWORD)
    terminal.answer(AGAIN_QUESTION, "another one altogether")
    assert "The two passwords differ." in terminal.answer(PASSWORD_QUESTION, PASSWORD)
    said = terminal.answer(AGAIN_QUESTION, PASSWORD)
    assert "Heard: Ada Adams ada@example.com True" in terminal.read_until("True\n")
    assert PASSWORD not in said


def test_no_question_names_a_variable_that_the_asked_never_set(terminal: Terminal) -> None:
    terminal.answer(NAME_QUESTION, "")
    said = terminal.answer(NAME_QUESTION, "Ada Adams")
    said += terminal.answer(EMAIL_QUESTION, "ada@example.com") + terminal.answer(PASSWORD_QUESTION, "short")
    assert "VAULT_ADMIN" not in said + terminal.read_until(PASSWORD_QUESTION)
