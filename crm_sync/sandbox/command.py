"""The command `manage.py crm_sandbox`, which serves CRM organisations to develop against."""

import asyncio
import json
import signal
from argparse import ArgumentParser
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crm_sync.sandbox.data.organisation import DEFAULT_API_LIMIT, DEFAULT_SESSION_SECONDS, Organisation
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.certificates import DEFAULT_HOSTS, write_certificates
from crm_sync.sandbox.serving.server import SandboxServer, bind_socket, build_server, serve_all

DEFAULT_PORT = 8101


class Command(BaseCommand):
    """Serves organisations on successive ports until it gets SIGINT or SIGTERM."""

    help = "Serve one or more CRM organisations to develop against, each on its own port."

    def add_arguments(self, parser: ArgumentParser) -> None:
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
            default=Path(settings.BASE_DIR) / "var" / "crm_sandbox",
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
        parser.add_argument("--latency-ms", type=float, default=0.0, help="let every API call wait so long first")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Bind every port, then serve. Raises CommandError (exit code 1) for a bad name, host or port."""
        names = list(dict.fromkeys(options["org"] or ["na", "emea"]))
        for name in names:
            if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
                raise CommandError(f"--org {name}: use letters, digits, hyphens and underscores only.")
        host, port, data_dir = options["host"], options["port"], options["data_dir"]
        refuse_remote_host(host, allowed=options["allow_remote"])
        listeners = []
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
        certificates = None
        if options["tls"]:
            certificates = write_certificates(data_dir / "tls", hosts=[*DEFAULT_HOSTS, *options["tls_host"]])
            self.stdout.write(f"Clients must trust {certificates.authority}")
        serving = []
        services = []
        for offset, (name, listener) in enumerate(zip(names, listeners, strict=True)):
            service = Service(
                Organisation.open(
                    data_dir / f"{name}.sqlite3",
                    name=name,
                    api_limit=options["api_limit"],
                    session_seconds=options["session_seconds"],
                )
            )
            service.misbehaviour.latency_ms = options["latency_ms"]
            scheme = "https" if certificates else "http"
            base_url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port + offset}"
            path = write_credentials(service.organisation, directory=data_dir, base_url=base_url)
            self.stdout.write(f"CRM organisation {name}: {base_url}  (log-in: {path})")
            server = build_server(
                service,
                certificate=certificates.certificate if certificates else None,
                private_key=certificates.private_key if certificates else None,
            )
            services.append(service)
            serving.append((server, listener))
        try:
            asyncio.run(serve_until_signal(serving))
        finally:
            for service in services:
                service.organisation.close()
        self.stdout.write("CRM sandbox stopped.")


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
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    return path
