"""Runs several processes in the foreground of one terminal, prefixes their output and ends them together.

Each process leads a session of its own, so that Ctrl-C reaches the supervisor alone, which then ends every process and
everything that it started.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self, TextIO

COLOURS = (36, 33, 32, 35, 34)  # ANSI: cyan, yellow, green, magenta, blue
PREFIX_WIDTH = 11
READ_BYTES = 64 * 1024
RESTART_SECONDS = 1
PRINT_REST_SECONDS = 2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessesError(Exception):
    """A process failed, so that all have to end. The message says which one and how."""


@dataclass(frozen=True, kw_only=True)
class RunningProcess:
    name: str
    process: asyncio.subprocess.Process
    printing: asyncio.Task[None]


class Supervisor:
    """Starts processes and ends them. It is an asynchronous context manager, which ends all of them.

    `name` stands before what it says itself. `environment` replaces that of this process. A process gets SIGTERM; after
    `grace_seconds` it and everything that it started get SIGKILL.
    """

    def __init__(
        self,
        *,
        name: str,
        output: TextIO,
        directory: Path,
        environment: Mapping[str, str],
        grace_seconds: float = 10,
    ) -> None:
        self._name = name
        self._output = output
        self._directory = directory
        self._environment = environment
        self._grace_seconds = grace_seconds
        self._running: list[RunningProcess] = []
        self._watches: set[asyncio.Task[None]] = set()
        self._colours = itertools.cycle(COLOURS)
        self.first_end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with ProcessesError when a process given to `start` ends by itself, or output cannot be printed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(*(self._end(running) for running in self._running))
        if self.first_end.done():
            self.first_end.exception()  # otherwise asyncio reports that it was never retrieved

    async def start(self, *, name: str, command: Sequence[str | Path]) -> None:
        """Start a process that runs until the supervisor ends it."""
        running = await self._launch(name=name, command=command)
        self._watches.add(asyncio.create_task(self._watch(running)))

    async def keep(self, *, name: str, command: Sequence[str | Path]) -> None:
        """Start a process, and start it again whenever it ends by itself: nothing else ends because of it."""
        running = await self._launch(name=name, command=command)
        self._watches.add(asyncio.create_task(self._keep(running, command=command)))

    async def run(self, *, name: str, command: Sequence[str | Path]) -> int:
        """Run a process to its end and return its exit code (negative: the signal that ended it)."""
        running = await self._launch(name=name, command=command)
        returncode = await running.process.wait()
        await self._end(running)
        return returncode

    def say(self, text: str, *, name: str = "", colour: int = 1) -> None:
        """Print `text`, each line after `name`, or after that of the supervisor."""
        prefix = f"{name or self._name:<{PREFIX_WIDTH - 3}} | "
        if self._output.isatty() and not os.environ.get("NO_COLOR"):
            prefix = f"\033[{colour}m{prefix}\033[0m"
        self._output.write("".join(f"{prefix}{line}\n" for line in text.splitlines()))
        self._output.flush()

    async def _launch(self, *, name: str, command: Sequence[str | Path]) -> RunningProcess:
        # A pipe of our own: with asyncio's, `wait` would wait for every process that inherited it, not for this one.
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            os.close(read_end)
            raise ProcessesError(f"{name} could not be started: {error}") from error
        finally:
            os.close(write_end)
        printing = asyncio.create_task(self._print(name=name, read_end=read_end, colour=next(self._colours)))
        running = RunningProcess(name=name, process=process, printing=printing)
        self._running.append(running)
        return running

    async def _print(self, *, name: str, read_end: int, colour: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        try:
            rest = b""
            while chunk := await reader.read(READ_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self.say(line.decode(errors="replace"), name=name, colour=colour)
            self.say(rest.decode(errors="replace"), name=name, colour=colour)
        except OSError as error:
            self._fail(f"The output of {name} could not be printed: {error}")
        finally:
            transport.close()

    async def _watch(self, running: RunningProcess) -> None:
        self._fail(await self._describe_end(running))

    async def _keep(self, running: RunningProcess, *, command: Sequence[str | Path]) -> None:
        try:
            while True:
                self.say(f"{await self._describe_end(running)}. Starting it again")
                await self._end(running)
                await asyncio.sleep(RESTART_SECONDS)
                running = await self._launch(name=running.name, command=command)
        except ProcessesError as error:
            self._fail(str(error))

    async def _describe_end(self, running: RunningProcess) -> str:
        """Wait for the end of a process and say how it was."""
        returncode = await running.process.wait()
        how = f"with exit code {returncode}" if returncode >= 0 else f"by signal {-returncode}"
        return f"{running.name} ended by itself {how}"

    def _fail(self, message: str) -> None:
        if not self.first_end.done():
            self.first_end.set_exception(ProcessesError(message))

    async def _end(self, running: RunningProcess) -> None:
        process = running.process
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_seconds):
                await process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        # Print what is left in the pipe, but not for ever: a descendant in another session may keep the pipe open.
        await asyncio.wait({running.printing}, timeout=PRINT_REST_SECONDS)
        running.printing.cancel()
        self._running.remove(running)


async def supervise(*, supervisor: Supervisor, story: Callable[[Supervisor], Awaitable[None]], stay: bool) -> None:
    """Let `story` start processes and, with `stay`, keep them running until Ctrl-C, SIGTERM or SIGHUP.

    Always ends all processes. Raises ProcessesError if one ended by itself, and whatever `story` raises.
    """
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop_requested.set)
    async with supervisor:
        request = asyncio.create_task(stop_requested.wait())
        telling = asyncio.ensure_future(story(supervisor))
        try:
            ends: list[asyncio.Future[Any]] = [request, supervisor.first_end]
            await asyncio.wait([telling, *ends], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                await telling
                if stay:
                    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if supervisor.first_end.done():
                await supervisor.first_end
        finally:
            request.cancel()
            telling.cancel()
            await asyncio.gather(request, telling, return_exceptions=True)


async def wait_until_answering(*, name: str, port: int, seconds: float) -> None:
    """Return when an HTTP server answers on this port of 127.0.0.1, whatever it answers.

    Raises ProcessesError if none does within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(is_answering, port=port):  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise ProcessesError(f"{name} did not answer on port {port} within {seconds:.0f} seconds") from error


def is_answering(*, port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def is_port_free(*, port: int) -> bool:
    """Whether a server can listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do, so that a connection just closed does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
