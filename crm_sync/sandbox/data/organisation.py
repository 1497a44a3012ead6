"""One CRM organisation: its data file, its users and connected apps, its clock, and direct access to its rows.

This is the Python interface for tests and demo data; clients use HTTP. Rows inserted here are not checked against the
API's rules for fields, so that demo data can choose its own ids and stamps.
"""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from crm_sync.sandbox.data.credentials import (
    FLOWS,
    JWT_BEARER,
    ConnectedApp,
    SandboxUser,
    generate_client_id,
    generate_client_secret,
    generate_password,
    generate_security_token,
    read_certificate,
)
from crm_sync.sandbox.data.database import Database
from crm_sync.sandbox.data.ids import BASE62, build_id, encode_base62
from crm_sync.sandbox.data.schema import VENDOR, Schema, SObject
from crm_sync.sandbox.data.sessions import SessionStore, UsageMeter
from crm_sync.sandbox.data.timestamps import format_datetime

ORGANISATION_KEY_PREFIX = "00D"
DEFAULT_API_LIMIT = 15_000
DEFAULT_SESSION_SECONDS = 7_200.0


class Organisation:
    """An open organisation. Open it with `Organisation.open`; close it, or use it as a context manager."""

    def __init__(self, database: Database, *, name: str, api_limit: int, session_seconds: float) -> None:
        """Use an open data file. Callers use `open` instead."""
        self.database = database
        self.name = name
        self.clock_skew = timedelta()
        # Never 000: tests take ids of it for records that are nowhere.
        self.pod = self._read_setting("pod", default=encode_base62(1 + secrets.randbelow(62**2 - 1), width=3))
        # Organisations of one pod have numbers of their own; the number is kept with the data.
        number = int(self._read_setting("organisation_number", default=str(secrets.randbelow(62**9))))
        self.id = build_id(key_prefix=ORGANISATION_KEY_PREFIX, pod=self.pod, number=number)
        # The first user, who owns the records for which no owner is given.
        self.integration_user_id = build_id(key_prefix="005", pod=self.pod, number=1)
        self.sessions = SessionStore(database, organisation_id=self.id, idle_seconds=session_seconds)
        self.usage = UsageMeter(database, limit=api_limit)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        name: str = "na",
        api_limit: int = DEFAULT_API_LIMIT,
        session_seconds: float = DEFAULT_SESSION_SECONDS,
        durable: bool = True,
        schema: Schema = VENDOR,
    ) -> Self:
        """Open the organisation in the SQLite file `path`. A new file gets an integration user and a connected app.

        `api_limit`: calls allowed in 24 hours. `session_seconds`: idle seconds after which a session ends. `durable`:
        whether what is written outlives a failure of the machine. `schema`: the objects that it has.
        """
        database = Database(Path(path), schema=schema, durable=durable)
        organisation = cls(database, name=name, api_limit=api_limit, session_seconds=session_seconds)
        if not organisation.users:
            user = organisation.add_user(
                username=f"vault.integration@{name}.crm.test",
                first_name="Vault",
                last_name="Integration",
                email=f"vault.integration@{name}.crm.test",
            )
            organisation.add_connected_app(label="Vault Clinical", run_as=user.username)
        return organisation

    def __enter__(self) -> Self:
        """Return the organisation itself."""
        return self

    @property
    def schema(self) -> Schema:
        """The objects that the organisation has."""
        return self.database.schema

    def __exit__(self, *_exception: object) -> None:
        """Close the data file."""
        self.close()

    def close(self) -> None:
        """Save the count of API calls and the last use of sessions, and close the data file."""
        self.usage.save()
        self.sessions.save()
        self.database.close()

    # -- people and apps ------------------------------------------------------------------------------

    @property
    def users(self) -> list[SandboxUser]:
        """The users who may log in, the integration user first."""
        rows = self.database.fetch_all(
            'SELECT u."Id", u."Username", l.password, l.security_token, u."FirstName", u."LastName", u."Email" '
            'FROM sandbox_logins l JOIN "User" u ON u."Id" = l.user_id ORDER BY u."Id"'
        )
        return [SandboxUser(*(value or "" for value in row)) for row in rows]

    @property
    def admin(self) -> SandboxUser:
        """The integration user created with the organisation."""
        return self.users[0]

    @property
    def connected_apps(self) -> list[ConnectedApp]:
        """All connected apps, the one created with the organisation first."""
        rows = self.database.fetch_all(
            "SELECT a.label, a.client_id, a.client_secret, a.flows, a.run_as, a.refresh_token, coalesce(c.pem, '') "
            "FROM sandbox_connected_apps a LEFT JOIN sandbox_certificates c ON c.client_id = a.client_id "
            "ORDER BY a.rowid"
        )
        return [
            ConnectedApp(label, client_id, secret, tuple(json.loads(flows)), run_as, refresh, certificate)
            for label, client_id, secret, flows, run_as, refresh, certificate in rows
        ]

    @property
    def connected_app(self) -> ConnectedApp:
        """The connected app created with the organisation."""
        return self.connected_apps[0]

    def add_user(
        self, *, username: str, first_name: str, last_name: str, email: str, password: str | None = None
    ) -> SandboxUser:
        """Create and return a user, with a generated security token and, unless one is given, a generated password."""
        with self.database.transaction():
            [user_id] = self.insert_records(
                object_name="User",
                records=[
                    {
                        "Username": username,
                        "FirstName": first_name,
                        "LastName": last_name,
                        "Name": f"{first_name} {last_name}".strip(),
                        "Email": email,
                        "IsActive": True,
                    }
                ],
            )
            user = SandboxUser(
                user_id,
                username,
                password or generate_password(),
                generate_security_token(),
                first_name,
                last_name,
                email,
            )
            self.database.execute(
                "INSERT INTO sandbox_logins (username, user_id, password, security_token) VALUES (?, ?, ?, ?)",
                (username, user.id, user.password, user.security_token),
            )
        return user

    def add_connected_app(self, *, label: str, run_as: str, flows: Sequence[str] = FLOWS) -> ConnectedApp:
        """Create a connected app that permits `flows`. Flows that name no user act as the user `run_as`."""
        app = ConnectedApp(
            label, generate_client_id(), generate_client_secret(), tuple(flows), run_as, f"5Aep{secrets.token_hex(40)}"
        )
        self.database.execute(
            "INSERT INTO sandbox_connected_apps (label, client_id, client_secret, flows, run_as, refresh_token) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (app.label, app.client_id, app.client_secret, json.dumps(app.flows), app.run_as, app.refresh_token),
        )
        return app

    def upload_certificate(self, *, pem: str, client_id: str = "") -> ConnectedApp:
        """Let a connected app, the first one unless it is named, check JWTs with this certificate; replaces another.

        Raises ValueError for a text that is no certificate with an RSA key of 2,048 bits or more, or an unknown app.
        """
        app = next((app for app in self.connected_apps if client_id in {"", app.client_id}), None)
        if app is None:
            raise ValueError("No connected app has this consumer key.")
        certificate = read_certificate(pem)
        self.database.execute(
            "INSERT OR REPLACE INTO sandbox_certificates (client_id, pem) VALUES (?, ?)", (app.client_id, certificate)
        )
        if JWT_BEARER not in app.flows:
            flows = json.dumps([*app.flows, JWT_BEARER])
            self.database.execute(
                "UPDATE sandbox_connected_apps SET flows = ? WHERE client_id = ?", (flows, app.client_id)
            )
        return next(entry for entry in self.connected_apps if entry.client_id == app.client_id)

    def find_user(self, *, user_id: str) -> SandboxUser | None:
        """Return the user with this id, or None."""
        return next((user for user in self.users if user.id == user_id), None)

    # -- clock and numbers ----------------------------------------------------------------------------

    def read_clock(self) -> datetime:
        """Return the organisation's time in UTC: the machine's time plus `clock_skew`."""
        return datetime.now(UTC) + self.clock_skew

    def stamp(self) -> str:
        """Return the organisation's time in the form in which records store it."""
        return format_datetime(self.read_clock())

    def reserve_ids(self, *, sobject: SObject, count: int) -> list[str]:
        """Return `count` new record ids of an object, ascending."""
        first = self.database.reserve_numbers(name=sobject.name, count=count)
        return [
            build_id(key_prefix=sobject.key_prefix, pod=self.pod, number=number)
            for number in range(first, first + count)
        ]

    # -- rows -----------------------------------------------------------------------------------------

    def insert_records(self, *, object_name: str, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Insert rows in one transaction and return their ids in order.

        Values are stored as given: datetimes aware or in the CRM's own text, dates as `date` or `YYYY-MM-DD`,
        booleans as `bool`, references as 18-character ids. Missing ids, stamps, names and creators are filled in.
        Raises KeyError for an unknown object or field and sqlite3.IntegrityError for an id that exists already.
        """
        sobject = self.schema[object_name]
        rows = [complete_record(self, sobject, record) for record in records]
        with self.database.transaction():
            fresh = self.reserve_ids(sobject=sobject, count=sum(1 for row in rows if row["Id"] is None))
            for row in reversed(rows):
                row["Id"] = row["Id"] or fresh.pop()
            self._raise_sequence_past(sobject, [str(row["Id"]) for row in rows])
            if sobject.name_field.auto_number:
                number = self.database.reserve_numbers(name=f"{sobject.name}.Name", count=len(rows))
                for offset, row in enumerate(rows):
                    name = sobject.name_field
                    row[name.name] = row[name.name] or name.auto_number.format(number + offset)
            columns = [field.name for field in sobject.fields]
            self.database.execute_many(
                f'INSERT INTO "{sobject.name}" ({", ".join(columns)}) VALUES ({", ".join("?" * len(columns))})',
                [tuple(row[column] for column in columns) for row in rows],
            )
        return [str(row["Id"]) for row in rows]

    def list_records(self, *, object_name: str, include_deleted: bool = False) -> list[dict[str, Any]]:
        """Return all rows of an object, oldest first: booleans as `bool`, other values as the API sends them."""
        sobject = self.schema[object_name]
        columns = ", ".join(f'"{field.name}"' for field in sobject.fields)
        live = ' WHERE "IsDeleted" = 0' if sobject.find_field("IsDeleted") and not include_deleted else ""
        return [
            {
                field.name: bool(value) if field.type == "boolean" else value
                for field, value in zip(sobject.fields, row, strict=True)
            }
            for row in self.database.fetch_all(f'SELECT {columns} FROM "{sobject.name}"{live} ORDER BY rowid')
        ]

    def count_records(self, *, object_name: str) -> int:
        """Return the number of rows of an object that are not deleted."""
        sobject = self.schema[object_name]
        row = self.database.fetch_one(f'SELECT count(*) FROM "{sobject.name}" WHERE "IsDeleted" = 0')
        return int(row[0]) if row else 0

    def _raise_sequence_past(self, sobject: SObject, identifiers: list[str]) -> None:
        """Move the object's sequence past ids that a caller chose, so that they are not given out again."""
        own = sobject.key_prefix + self.pod
        numbers = [decode_number(identifier) for identifier in identifiers if identifier.startswith(own)]
        if numbers:
            self.database.raise_sequence(name=sobject.name, past=max(numbers))

    def _read_setting(self, name: str, *, default: str) -> str:
        """Return a setting of the data file. Stores the default on first use."""
        self.database.execute("INSERT OR IGNORE INTO sandbox_settings (name, value) VALUES (?, ?)", (name, default))
        row = self.database.fetch_one("SELECT value FROM sandbox_settings WHERE name = ?", (name,))
        return str(row[0]) if row else default


def decode_number(identifier: str) -> int:
    """Return the number that an id's nine base-62 digits (characters 7 to 15) stand for."""
    number = 0
    for character in identifier[6:15]:
        number = number * 62 + BASE62.index(character)
    return number


def complete_record(organisation: Organisation, sobject: SObject, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a full row for a record: adds defaults, stamps, creators and the name of a person."""
    row: dict[str, Any] = {
        field.name: int(field.default) if isinstance(field.default, bool) else field.default for field in sobject.fields
    }
    for key, value in record.items():
        field = sobject.by_lower_name[key.lower()]
        row[field.name] = store_value(value)
    if row.get("LastName") is not None:
        if "IsPersonAccount" in row:
            row["IsPersonAccount"] = 1
        row["Name"] = row["Name"] or " ".join(part for part in (row["FirstName"], row["LastName"]) if part)
    created = row["CreatedDate"] = row["CreatedDate"] or organisation.stamp()
    row["LastModifiedDate"] = row["LastModifiedDate"] or created
    row["SystemModstamp"] = row["SystemModstamp"] or row["LastModifiedDate"]
    for name in ("CreatedById", "LastModifiedById", "OwnerId"):
        if name in row:
            row[name] = row[name] or row["CreatedById"] or organisation.integration_user_id
    return row


def store_value(value: object) -> object:
    """Return a Python value in the form in which the data file stores it."""
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value or None if isinstance(value, str) else value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
