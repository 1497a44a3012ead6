"""The demonstration's processes start together, are read together and end together. All are real processes."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from ctms.machine.processes import (
    ProcessesError,
    Supervisor,
    is_port_free,
    supervise,
    wait_until_answering,
)
from tests.servers import find_free_port

pytestmark = pytest.mark.system

FOREVER = "import time\nwhile True: time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n{FOREVER}"
REPOSITORY = Path(__file__).resolve().parents[2]

Story = Callable[[Supervisor], Awaitable[None]]


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def tell(story: Story, *, stay: bool = False, directory: Path = REPOSITORY, grace_seconds: float = 10) -> str:
    """Supervise `story` and return everything that was printed."""
    output = io.StringIO()

    async def main() -> None:
        supervisor = Supervisor(
            name="demo", output=output, directory=directory, environment=dict(os.environ), grace_seconds=grace_seconds
        )
        await supervise(supervisor=supervisor, story=story, stay=stay)

    try:
        asyncio.run(main())
    except ProcessesError as error:
        output.write(f"ProcessesError: {error}\n")
    return output.getvalue()


def forking(*, parent: str, child: str) -> list[str]:
    """A process that starts a child, writes both process ids into the file `pids` and goes on with `parent`."""
    return python(
        "import os, pathlib, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "pathlib.Path('pids.new').write_text(f'{os.getpid()} {child.pid}')\n"
        "os.rename('pids.new', 'pids')\n"
        f"{parent}"
    )


async def read_pids(directory: Path) -> list[int]:
    while not (directory / "pids").exists():  # noqa: ASYNC110  written by another process
        await asyncio.sleep(0.01)
    return [int(pid) for pid in (directory / "pids").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it may also end while it is looked at
        return False


def list_alive(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if is_alive(pid)]


def list_left(pids: Sequence[int]) -> list[int]:
    """Those still alive, once the killed have had time to die."""
    for _ in range(6_000):
        if not list_alive(pids):
            break
        time.sleep(0.01)
    return list_alive(pids)


def test_each_line_is_printed_after_the_name_of_its_process() -> None:
    async def story(supervisor: Supervisor) -> None:
        await supervisor.run(name="first", command=python("print('one'); print('two')"))
        await supervisor.run(name="second", command=python("import sys; sys.stderr.write('no newline')"))

    assert tell(story) == "first    | one\nfirst    | two\nsecond   | no newline\n"


def test_a_line_longer_than_any_buffer_is_printed_whole() -> None:
    async def story(supervisor: Supervisor) -> None:
        await supervisor.run(name="long", command=python("print('x' * 1_000_000)"))

    assert tell(story) == f"long     | {'x' * 1_000_000}\n"


def test_run_returns_the_exit_code_and_a_failure_ends_nothing() -> None:
    returncodes = []

    async def story(supervisor: Supervisor) -> None:
        returncodes.append(await supervisor.run(name="failing", command=python("raise SystemExit(7)")))
        returncodes.append(await supervisor.run(name="fine", command=python("")))

    assert tell(story) == ""
    assert returncodes == [7, 0]


def test_everything_ends_when_the_story_is_told_and_nobody_is_to_stay(tmp_path: Path) -> None:
    pids = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(
            name="parent", command=forking(parent="child.wait()", child=f"print(1, flush=True)\n{FOREVER}")
        )
        pids.extend(await read_pids(tmp_path))

    assert tell(story, directory=tmp_path) == ""
    assert len(pids) == 2
    assert list_left(pids) == []


def test_a_process_that_ends_by_itself_ends_the_others_and_is_named(tmp_path: Path) -> None:
    pids = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(
            name="steady", command=forking(parent="child.wait()", child=f"print(1, flush=True)\n{FOREVER}")
        )
        pids.extend(await read_pids(tmp_path))
        await supervisor.start(name="fragile", command=python("print('oh'); raise SystemExit(3)"))

    output = tell(story, stay=True, directory=tmp_path)
    assert output == "fragile  | oh\nProcessesError: fragile ended by itself with exit code 3\n"
    assert list_left(pids) == []


def test_a_process_that_ends_without_error_is_missed_as_well() -> None:
    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(name="brief", command=python(""))

    assert tell(story, stay=True) == "ProcessesError: brief ended by itself with exit code 0\n"


def test_a_process_that_is_kept_is_started_again_when_it_dies_and_no_other_ends(tmp_path: Path) -> None:
    pids: list[int] = []
    lives = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(name="web", command=python(f"print('up', flush=True)\n{FOREVER}"))
        await supervisor.keep(name="worker", command=forking(parent=FOREVER, child=f"print(1, flush=True)\n{FOREVER}"))
        for _ in range(2):
            pids.extend(await read_pids(tmp_path))
            (tmp_path / "pids").unlink()
            lives.append(list_alive(pids[-2:]) == pids[-2:])
            os.kill(pids[-2], signal.SIGKILL)
        pids.extend(await read_pids(tmp_path))
        assert not supervisor.first_end.done()

    output = tell(story, directory=tmp_path)
    assert output.count("demo     | worker ended by itself by signal 9. Starting it again\n") == 2
    assert "ProcessesError" not in output
    assert (lives, len(pids), list_left(pids)) == ([True, True], 6, [])


def test_a_kept_process_that_cannot_be_started_again_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nrm program\n")
    program.chmod(0o700)

    async def story(supervisor: Supervisor) -> None:
        await supervisor.keep(name="worker", command=[program])

    assert "ProcessesError: worker could not be started: " in tell(story, stay=True, directory=tmp_path)


def test_the_death_of_a_parent_is_seen_although_its_child_holds_the_output_and_the_child_is_ended(
    tmp_path: Path,
) -> None:
    pids = []

    async def story(supervisor: Supervisor) -> None:
        child = f"import sys; print(1, flush=True); sys.stderr.write('child lives'); sys.stderr.flush()\n{FOREVER}"
        await supervisor.start(name="parent", command=forking(parent=FOREVER, child=child))
        pids.extend(await read_pids(tmp_path))
        os.kill(pids[0], signal.SIGKILL)

    output = tell(story, stay=True, directory=tmp_path)
    assert output == "parent   | child lives\nProcessesError: parent ended by itself by signal 9\n"
    assert list_left(pids) == []


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    pids = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(name="deaf", command=forking(parent=f"{DEAF}", child=DEAF))
        pids.extend(await read_pids(tmp_path))

    tell(story, directory=tmp_path, grace_seconds=0.2)
    assert len(pids) == 2
    assert list_left(pids) == []


def test_an_error_in_the_story_ends_everything(tmp_path: Path) -> None:
    pids = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(
            name="parent", command=forking(parent="child.wait()", child=f"print(1, flush=True)\n{FOREVER}")
        )
        pids.extend(await read_pids(tmp_path))
        raise LookupError("lost the thread")

    with pytest.raises(LookupError, match="lost the thread"):
        tell(story, stay=True, directory=tmp_path)
    assert list_left(pids) == []


def test_a_command_that_does_not_exist_is_named() -> None:
    async def story(supervisor: Supervisor) -> None:
        await supervisor.start(name="ghost", command=["/no/such/command"])

    expected = "ProcessesError: ghost could not be started: [Errno 2] No such file or directory: '/no/such/command'\n"
    assert tell(story) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["while the story is told", "afterwards"])
def test_a_signal_ends_every_process_and_is_no_error(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    command = forking(parent="child.wait()", child=f"print(1, flush=True)\n{FOREVER}")
    action = "run" if moment == "while the story is told" else "start"
    script = (
        "import asyncio, os, pathlib, sys\n"
        "from ctms.machine.processes import Supervisor, supervise\n"
        "async def story(supervisor):\n"
        f"    await supervisor.{action}(name='parent', command={command!r})\n"
        "async def main():\n"
        f"    directory = pathlib.Path({str(tmp_path)!r})\n"
        "    supervisor = Supervisor(name='demo', output=sys.stdout, directory=directory, environment=os.environ)\n"
        "    await supervise(supervisor=supervisor, story=story, stay=True)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(python(script), cwd=REPOSITORY) as supervisor:
        pids = asyncio.run(read_pids(tmp_path))
        assert list_alive(pids) == pids
        supervisor.send_signal(number)
    assert supervisor.returncode == 0
    assert list_left(pids) == []


def test_waiting_ends_as_soon_as_any_http_answer_comes() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever).start()
        try:
            asyncio.run(wait_until_answering(name="web", port=server.server_port, seconds=60))
        finally:
            server.shutdown()


def test_waiting_for_a_server_that_never_answers_names_it_and_the_port() -> None:
    port = find_free_port()
    with pytest.raises(ProcessesError, match=rf"^web did not answer on port {port} within 0 seconds$"):
        asyncio.run(wait_until_answering(name="web", port=port, seconds=0.3))


def test_a_port_is_free_unless_somebody_listens_on_it() -> None:
    port = find_free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert is_port_free(port=port) is False
    assert is_port_free(port=port) is True
