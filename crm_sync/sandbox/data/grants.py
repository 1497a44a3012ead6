"""What a person has allowed an app: authorization codes, the codes of devices, and refresh tokens.

Codes are kept in memory and are good for a quarter of an hour; refresh tokens are in the data file.
"""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field

from crm_sync.sandbox.data.database import Database

CODE_SECONDS = 15 * 60
DEVICE_INTERVAL_SECONDS = 5
USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ0123456789"
DEFAULT_SCOPE = "api refresh_token id"


@dataclass(slots=True, kw_only=True)
class Grant:
    """A code that a client has, and what it stands for. `user_id` is empty until a person has allowed it."""

    client_id: str
    scope: str
    user_id: str = ""
    redirect_uri: str = ""
    challenge: str = field(default="", repr=False)
    nonce: str = ""
    user_code: str = ""
    is_refused: bool = False
    ends: float = field(default_factory=lambda: time.monotonic() + CODE_SECONDS)

    def fits(self, verifier: str) -> bool:
        """Whether a verifier is the one of the challenge (RFC 7636, S256 or plain). Without challenge, any is."""
        if not self.challenge:
            return True
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return any(hmac.compare_digest(self.challenge, each) for each in (digest, verifier))


class GrantStore:
    """The grants of an organisation."""

    def __init__(self, database: Database) -> None:
        """Begin without codes."""
        self._database = database
        self._codes: dict[str, Grant] = {}
        self._devices: dict[str, Grant] = {}

    def add_code(self, grant: Grant) -> str:
        """Keep an authorization code and return it."""
        code = f"aPrx{secrets.token_urlsafe(48)}=="
        self._codes[code] = grant
        return code

    def take_code(self, code: str) -> Grant | None:
        """Return the grant of an authorization code, which is good once; None for another."""
        grant = self._codes.pop(code, None)
        return grant if grant is not None and grant.ends > time.monotonic() else None

    def add_device(self, *, client_id: str, scope: str) -> tuple[str, Grant]:
        """Return a device's code and its grant, which a person allows by its user code."""
        user_code = "".join(secrets.choice(USER_CODE_ALPHABET) for _ in range(8))
        grant = Grant(client_id=client_id, scope=scope, user_code=user_code)
        code = secrets.token_urlsafe(32)
        self._devices[code] = grant
        return code, grant

    def find_device(self, code: str) -> Grant | None:
        """Return the grant of a device's code, or None."""
        grant = self._devices.get(code)
        return grant if grant is not None and grant.ends > time.monotonic() else None

    def find_device_of_person(self, user_code: str) -> Grant | None:
        """Return the grant that a person names by a user code, in any case and with or without hyphen."""
        wanted = user_code.upper().replace("-", "").strip()
        for code, grant in list(self._devices.items()):
            if grant.user_code == wanted and not grant.user_id:
                return self.find_device(code)
        return None

    def forget_device(self, code: str) -> None:
        """Forget a device's code, which has been used."""
        self._devices.pop(code, None)

    def add_refresh_token(self, *, client_id: str, user_id: str) -> str:
        """Return a new refresh token."""
        token = f"5Aep{secrets.token_hex(40)}"
        self._database.execute(
            "INSERT INTO sandbox_refresh_tokens (token, client_id, user_id) VALUES (?, ?, ?)",
            (token, client_id, user_id),
        )
        return token

    def find_user_of(self, token: str, *, client_id: str) -> str:
        """Return the id of the user for whom an app has a refresh token, or an empty text."""
        row = self._database.fetch_one(
            "SELECT user_id FROM sandbox_refresh_tokens WHERE token = ? AND client_id = ?", (token, client_id)
        )
        return str(row[0]) if row else ""

    def revoke(self, token: str) -> bool:
        """Forget a refresh token and return whether there was one."""
        return self._database.execute("DELETE FROM sandbox_refresh_tokens WHERE token = ?", (token,)) > 0
