"""Fixtures: a sandbox served over real sockets, and a plain HTTP client that is logged in to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_sync.sandbox import Organisation, RunningSandbox
from crm_sync.sandbox.data.schema import ALL
from crm_sync.sandbox.serving.certificates import ServerCertificate, write_certificates
from tests.crm_sync.sandbox.soap import SoapApi
from tests.node_packages import NODE_IS_MISSING

collect_ignore = ["test_jsforce.py"] if NODE_IS_MISSING else []


def pytest_report_collectionfinish() -> list[str]:
    """Report the tests that are not collected."""
    return ["jsforce is not tried: node and npm are not installed here"] if NODE_IS_MISSING else []


@dataclass
class Api:
    """Calls one version of the API with a token."""

    sandbox: RunningSandbox
    session: requests.Session
    version: str = "v60.0"

    def url(self, path: str) -> str:
        """Return the address of a path below the version."""
        return f"{self.sandbox.base_url}/services/data/{self.version}{path}"

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.session.get(self.url(path), timeout=30, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return self.session.post(self.url(path), timeout=30, **arguments)

    def patch(self, path: str, **arguments: Any) -> requests.Response:
        return self.session.patch(self.url(path), timeout=30, **arguments)

    def delete(self, path: str, **arguments: Any) -> requests.Response:
        return self.session.delete(self.url(path), timeout=30, **arguments)

    def query(self, soql: str, *, path: str = "/query", **headers: str) -> dict[str, Any]:
        """Return the answer of a query. Asserts that it succeeds."""
        response = self.get(path, params={"q": soql}, headers=headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def list_values(self, soql: str, *, path: str = "/query") -> list[Any]:
        """Return the first selected value of every record of a query."""
        return [
            next(value for key, value in record.items() if key != "attributes")
            for record in self.query(soql, path=path)["records"]
        ]

    def create(self, name: str, **values: Any) -> str:
        """Create a record and return its id. Asserts that it succeeds."""
        response = self.post(f"/sobjects/{name}", json=values)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])


def log_in(sandbox: RunningSandbox) -> str:
    """Return an access token of the integration user."""
    app = sandbox.connected_app
    response = requests.post(
        f"{sandbox.base_url}/services/oauth2/token",
        data={"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret},
        timeout=30,
    )
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])


def control(sandbox: RunningSandbox, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
    """Return the answer of the sandbox's own interface below `/_sandbox/`."""
    return requests.request(method, f"{sandbox.base_url}/_sandbox/{path}", json=body, timeout=30)


def measure_to_noon(sandbox: RunningSandbox) -> float:
    """Return the seconds from the organisation's time to noon of its day, when no day ends while a test runs."""
    now = sandbox.organisation.read_clock()
    return (now.replace(hour=12, minute=0, second=0, microsecond=0) - now).total_seconds()


def describe_error(response: requests.Response) -> tuple[int, str]:
    """Return status and error code of a refused request."""
    [error] = response.json()
    return response.status_code, error["errorCode"]


def serve(running: RunningSandbox) -> Iterator[Api]:
    """Serve an organisation for as long as its logged-in client is used."""
    with running as sandbox, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {log_in(sandbox)}"
        yield Api(sandbox, session)


@pytest.fixture
def standard() -> Iterator[Api]:
    """A logged-in client of an organisation that has the standard objects as well."""
    yield from serve(RunningSandbox(schema=ALL))


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """One organisation, empty but for its users."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    """An organisation that is not served."""
    with Organisation.open(tmp_path / "na.sqlite3", durable=False) as opened:
        yield opened


@pytest.fixture
def api(sandbox: RunningSandbox) -> Iterator[Api]:
    """A logged-in client of the served organisation."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {log_in(sandbox)}"
        yield Api(sandbox, session)


@pytest.fixture
def soap(sandbox: RunningSandbox) -> SoapApi:
    """A logged-in client of the SOAP API of the served organisation."""
    return SoapApi(sandbox, log_in(sandbox))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """A certificate authority and a server certificate."""
    return write_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_sandbox(tmp_path: Path, certificates: ServerCertificate) -> Iterator[RunningSandbox]:
    """An organisation served over HTTPS."""
    with RunningSandbox(
        data_dir=tmp_path, certificate=certificates.certificate, private_key=certificates.private_key
    ) as running:
        yield running
