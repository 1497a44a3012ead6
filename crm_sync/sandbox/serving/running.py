"""A sandbox for tests: a background thread serves organisations on free ports."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crm_sync.sandbox.data.credentials import ConnectedApp, SandboxUser
from crm_sync.sandbox.data.organisation import DEFAULT_API_LIMIT, DEFAULT_SESSION_SECONDS, Organisation
from crm_sync.sandbox.data.schema import VENDOR, Schema
from crm_sync.sandbox.misbehaviour import Misbehaviour
from crm_sync.sandbox.request_log import RequestLog
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.server import SandboxServer, bind_socket, build_server, serve_all

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningOrganisation:
    """One organisation that is being served."""

    service: Service
    base_url: str
    port: int

    @property
    def organisation(self) -> Organisation:
        """The organisation: its data, users and clock."""
        return self.service.organisation

    @property
    def misbehaviour(self) -> Misbehaviour:
        """Its misbehaviour rules and settings."""
        return self.service.misbehaviour

    @property
    def request_log(self) -> RequestLog:
        """The log of its requests."""
        return self.service.log

    @property
    def user(self) -> SandboxUser:
        """The integration user."""
        return self.organisation.admin

    @property
    def connected_app(self) -> ConnectedApp:
        """The connected app created with the organisation."""
        return self.organisation.connected_app


class RunningSandbox:
    """Serves organisations while its `with` block runs.

    For example:

        with RunningSandbox(names=["na", "emea"], data_dir=tmp_path) as sandbox:
            sandbox["emea"].base_url
            sandbox.base_url              # of the first organisation, as are the other attributes
            sandbox.misbehaviour.add_rule(match={"method": "PATCH", "nth": 2}, effect={"status": 503})
            sandbox.request_log.count(method="PATCH", path_contains="/composite/sobjects/")

    Without `data_dir` the data is deleted afterwards. `port` is that of the first organisation, and each further one
    has the next port; 0 takes free ports. With certificate and key the sandbox speaks HTTPS.
    """

    def __init__(
        self,
        *,
        names: Sequence[str] = ("na",),
        data_dir: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        api_limit: int = DEFAULT_API_LIMIT,
        session_seconds: float = DEFAULT_SESSION_SECONDS,
        certificate: Path | None = None,
        private_key: Path | None = None,
        schema: Schema = VENDOR,
    ) -> None:
        """Keep the options; nothing is opened yet."""
        self._names = list(names)
        self._data_dir = data_dir
        self._host = host
        self._port = port
        self._api_limit = api_limit
        self._session_seconds = session_seconds
        self._certificate = certificate
        self._private_key = private_key
        self._schema = schema
        self._servers: list[SandboxServer] = []
        self._thread: threading.Thread | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.organisations: dict[str, RunningOrganisation] = {}

    def __getitem__(self, name: str) -> RunningOrganisation:
        """Return the organisation with this name."""
        return self.organisations[name]

    @property
    def first(self) -> RunningOrganisation:
        """The first organisation."""
        return self.organisations[self._names[0]]

    @property
    def base_url(self) -> str:
        """The address of the first organisation."""
        return self.first.base_url

    @property
    def organisation(self) -> Organisation:
        """The first organisation's data."""
        return self.first.organisation

    @property
    def misbehaviour(self) -> Misbehaviour:
        """The first organisation's misbehaviour."""
        return self.first.misbehaviour

    @property
    def request_log(self) -> RequestLog:
        """The first organisation's request log."""
        return self.first.request_log

    @property
    def user(self) -> SandboxUser:
        """The first organisation's integration user."""
        return self.first.user

    @property
    def connected_app(self) -> ConnectedApp:
        """The first organisation's connected app."""
        return self.first.connected_app

    def __enter__(self) -> Self:
        """Open the data, bind the ports and begin serving. Raises OSError when a port is taken."""
        if self._data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="crm_sandbox_")
        directory = self._data_dir or Path(self._temporary.name if self._temporary else "")
        serving = []
        for index, name in enumerate(self._names):
            listener = bind_socket(host=self._host, port=self._port and self._port + index)
            port = int(listener.getsockname()[1])
            service = Service(
                Organisation.open(
                    directory / f"{name}.sqlite3",
                    name=name,
                    api_limit=self._api_limit,
                    session_seconds=self._session_seconds,
                    durable=self._data_dir is not None,
                    schema=self._schema,
                )
            )
            server = build_server(service, certificate=self._certificate, private_key=self._private_key)
            scheme = "https" if self._certificate else "http"
            self.organisations[name] = RunningOrganisation(service, f"{scheme}://{self._host}:{port}", port)
            self._servers.append(server)
            serving.append((server, listener))
        self._thread = threading.Thread(target=lambda: asyncio.run(serve_all(serving)), name="crm-sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not all(server.started for server in self._servers):
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("The CRM sandbox did not start.")
            time.sleep(0.005)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop serving and close the data."""
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=START_SECONDS)
        for running in self.organisations.values():
            running.organisation.close()
        if self._temporary is not None:
            self._temporary.cleanup()
