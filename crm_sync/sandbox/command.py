"""The program `crm-sandbox`: it serves CRM organisations to develop against. In the Vault: `manage.py crm_sandbox`."""

import asyncio
import json
import signal
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from crm_sync.sandbox.data.organisation import DEFAULT_API_LIMIT, DEFAULT_SESSION_SECONDS, Organisation
from crm_sync.sandbox.data.schema_files import read_schema
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.certificates import DEFAULT_HOSTS, ServerCertificate, write_certificates
from crm_sync.sandbox.serving.server import SandboxServer, bind_socket, build_server, serve_all

DESCRIPTION = "Serve one or more CRM organisations to develop against, each on its own port."
DEFAULT_PORT = 8101
DEFAULT_ORGANISATIONS = ("na", "emea")
DEFAULT_SCHEMA = ("vendor", "standard")


class CommandError(Exception):
    """What cannot be done as it was asked for. Its text is for whoever typed the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 when it was stopped, 1 when it cannot do what was asked."""
    parser = ArgumentParser(prog="crm-sandbox", description=DESCRIPTION)
    add_arguments(parser)
    options = vars(parser.parse_args(arguments))
    try:
        run(write=lambda line: print(line, flush=True), **options)  # noqa: T201  what it is asked to say
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--org",
        action="append",
        metavar="NAME",
        help="an organisation, created on first use; may be given more than once (default: na and emea)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port of the first organisation, the next ones follow (default: {DEFAULT_PORT})",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="permit an address that other machines can reach; the sandbox's pages have no log-in",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("var") / "crm_sandbox",
        help="where the organisations keep their data (default: var/crm_sandbox)",
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with an authority under DATA_DIR/tls")
    parser.add_argument(
        "--tls-host",
        action="append",
        metavar="HOST",
        default=[],
        help="a further host name in the certificate; may be given more than once",
    )
    parser.add_argument(
        "--api-limit",
        type=int,
        default=DEFAULT_API_LIMIT,
        help=f"API calls allowed in 24 hours, for each organisation (default: {DEFAULT_API_LIMIT})",
    )
    parser.add_argument(
        "--session-seconds",
        type=float,
        default=DEFAULT_SESSION_SECONDS,
        help=f"after how many idle seconds a session ends (default: {DEFAULT_SESSION_SECONDS:.0f})",
    )
    parser.add_argument(
        "--schema",
        action="append",
        metavar="NAME_OR_FILE",
        help="objects that the organisations have: vendor, standard, or a file with a describe answer (.json), "
        "metadata (.object) or a short form (.yaml); may be given more than once (default: vendor and standard)",
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="let every API call wait so long first")


def run(*, write: Callable[[str], Any], **options: Any) -> None:
    """Bind every port, then serve until SIGINT or SIGTERM; `write` takes each line that is said.

    Raises CommandError for a bad name, schema, host or port.
    """
    names = list(dict.fromkeys(options["org"] or DEFAULT_ORGANISATIONS))
    for name in names:
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise CommandError(f"--org {name}: use letters, digits, hyphens and underscores only.")
    try:
        schema = read_schema(options["schema"] or DEFAULT_SCHEMA)
    except ValueError as error:
        raise CommandError(f"--schema {error}") from error
    host, port, data_dir = options["host"], options["port"], options["data_dir"]
    refuse_remote_host(host, allowed=options["allow_remote"])
    listeners = bind_sockets(names, host=host, port=port)
    certificates = None
    if options["tls"]:
        certificates = write_certificates(data_dir / "tls", hosts=[*DEFAULT_HOSTS, *options["tls_host"]])
        write(f"Clients must trust {certificates.authority}")
    serving = []
    services = []
    for offset, (name, listener) in enumerate(zip(names, listeners, strict=True)):
        service = Service(
            Organisation.open(
                data_dir / f"{name}.sqlite3",
                name=name,
                api_limit=options["api_limit"],
                session_seconds=options["session_seconds"],
                schema=schema,
            )
        )
        service.misbehaviour.latency_ms = options["latency_ms"]
        scheme = "https" if certificates else "http"
        base_url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port + offset}"
        path = write_credentials(service.organisation, directory=data_dir, base_url=base_url)
        write(f"CRM organisation {name}: {base_url}  (log-in: {path})")
        services.append(service)
        serving.append((build_tls_server(service, certificates), listener))
    try:
        asyncio.run(serve_until_signal(serving))
    finally:
        for service in services:
            service.organisation.close()
    write("CRM sandbox stopped.")


def bind_sockets(names: Sequence[str], *, host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each organisation, on successive ports. Raises CommandError when one is taken."""
    listeners: list[socket.socket] = []
    for offset, name in enumerate(names):
        try:
            listeners.append(bind_socket(host=host, port=port + offset))
        except (OSError, OverflowError) as error:
            for listener in listeners:
                listener.close()
            raise CommandError(
                f"Organisation {name} cannot listen on {host}:{port + offset}: "
                f"{getattr(error, 'strerror', None) or error}. "
                "Stop what uses that port, or choose another with --port."
            ) from error
    return listeners


def build_tls_server(service: Service, certificates: ServerCertificate | None) -> SandboxServer:
    """Return the server of one organisation, with HTTPS when there are certificates."""
    if certificates is None:
        return build_server(service)
    return build_server(service, certificate=certificates.certificate, private_key=certificates.private_key)


async def serve_until_signal(serving: Sequence[tuple[SandboxServer, Any]]) -> None:
    """Serve until SIGINT or SIGTERM. On a second signal, do not wait for open connections."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server, _ in serving:
            server.force_exit = server.should_exit
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await serve_all(serving)


def refuse_remote_host(host: str, *, allowed: bool) -> None:
    """Raise CommandError when other machines can reach `host` and that is not `allowed`."""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not allowed:
        raise CommandError(
            f"--host {host} can be reached from other machines, and the sandbox's pages have no log-in. "
            "Add --allow-remote if that is what you want."
        )


def write_credentials(organisation: Organisation, *, directory: Path, base_url: str) -> Path:
    """Write the log-in of an organisation to a file that only its owner may read, and return its path."""
    path = directory / f"{organisation.name}.credentials.json"
    user, app = organisation.admin, organisation.connected_app
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "base_url": base_url,
                "username": user.username,
                "password": user.password,
                "security_token": user.security_token,
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": app.refresh_token,
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    return path
