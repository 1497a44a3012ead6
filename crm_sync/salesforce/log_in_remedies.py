"""What to do about a refused log-in, by its cause.

A CRM tells the cause in the error code or in the description, and differently by the way of logging in (OAuth, SOAP).
Sources: Salesforce Help, "OAuth 2.0 Authorization Errors"; SOAP API Developer Guide, "ExceptionCode".
"""

from typing import Final, NamedTuple


class _Cause(NamedTuple):
    """A cause, known by a piece of the code or description in small letters, and what to do about it."""

    pieces: tuple[str, ...]
    remedy: str


# The first one that fits is taken.
_CAUSES: Final = (
    _Cause(
        pieces=("ip restricted", "restricted_domain", "restricted domain", "security_token"),
        remedy="The CRM does not trust the Vault's network address. Add the address to the trusted IP ranges of the "
        "CRM (and to the login IP ranges of the user's profile, if it has any), or append the user's security"
        " token to the password in Set Password.",
    ),
    _Cause(
        pieces=("inactive_user", "user is inactive", "inactive user"),
        remedy="Activate the user in the CRM under Setup > Users, or enter an active one in the Authorization.",
    ),
    _Cause(
        pieces=(
            "inactive_org",
            "organization is inactive",
            "inactive organi",
            "org_locked",
            "org is locked",
            "trial_expired",
        ),
        remedy="The CRM organisation itself is switched off or locked: ask its administrators, and check that the "
        "URL leads to the organisation that is in use.",
    ),
    _Cause(
        pieces=("api_disabled", "api_currently_disabled", "api is not enabled", "api not enabled", "api is disabled"),
        remedy="Give the CRM user the permission API Enabled, by profile or permission set; the edition of the CRM "
        "must include the API.",
    ),
    _Cause(
        pieces=(
            "expired password",
            "expired_password",
            "password expired",
            "password has expired",
            "password is expired",
        ),
        remedy="Log in to the CRM as this user, choose a new password, and enter it with Set Password. A password "
        "that never expires suits an integration user.",
    ),
    _Cause(
        pieces=("hasn't approved", "hasn’t approved", "has not approved"),
        remedy="Pre-authorise the user in the CRM: in the policies of the External Client App (External Client App "
        "Manager > the app > Policies) or connected app (Manage Connected Apps), choose the permitted users “Admin "
        "approved users are pre-authorized” and add the user's profile or permission set. If that is done, check the "
        "user name, and the host chosen as Log in at: a sandbox's users are unknown at login.salesforce.com.",
    ),
    _Cause(
        pieces=("audience",),
        remedy="Choose another host as Log in at in Enter Connected App Details: My Domain for any organisation, "
        "login.salesforce.com for production and Developer Edition, test.salesforce.com for sandboxes.",
    ),
    _Cause(
        pieces=("expired authorization code", "assertion expired", "jwt expired", "expired assertion"),
        remedy="The CRM took the signed request for expired: it is valid for two minutes by the Vault's clock, which "
        "must be right to the minute.",
    ),
    _Cause(
        pieces=("invalid assertion",),
        remedy="Upload to the app in the CRM the certificate that Download Certificate of the Authorization gives: "
        "External Client App Manager > the app > Settings > OAuth Settings > Enable JWT Bearer Flow, or Use digital "
        "signatures of a connected app. A new one takes effect there after up to ten minutes.",
    ),
    _Cause(
        pieces=(
            "not admin approved",
            "not approved",
            "oauth_app_access_denied",
            "invalid_app_access",
            "oauth_approval_error",
            "oauth_app_blocked",
        ),
        remedy="Let the CRM's administrator approve the connected app or External Client App for this user: in its "
        "policies, permitted users “Admin approved users are pre-authorized”, with the user's profile or permission "
        "set.",
    ),
    _Cause(
        pieces=("rate exceeded", "rate_limit_exceeded", "rate limit", "login_rate"),
        remedy="The user logged in too often within an hour. The next run tries again; check that no other program "
        "logs in as this user, or let the transfer run less often.",
    ),
    _Cause(
        pieces=("lockout", "locked out"),
        remedy="Unlock the user in the CRM under Setup > Users, then enter the right password with Set Password.",
    ),
    _Cause(
        pieces=("restricted_time", "restricted time", "login hours"),
        remedy="The user's profile has login hours in the CRM: widen them, or schedule the transfer within them.",
    ),
)
_BLOCKED_FLOW: Final = frozenset({"unsupported_grant_type", "unauthorized_client"})
_WRONG_APP: Final = frozenset({"invalid_client", "invalid_client_id"})


def find_cause_remedy(*, code: str, words: str) -> str:
    """Return the remedy for the cause that a refusal names; empty if it names none."""
    told = f"{code} {words}".lower()
    if "invalid_login" in told:  # its description names several causes, and the CRM does not tell which it is
        return ""
    return next((cause.remedy for cause in _CAUSES if any(piece in told for piece in cause.pieces)), "")


def advise_log_in(*, code: str, words: str, flow: str) -> str:
    """Return what to do about a refused log-in, from the CRM's error code and description."""
    if remedy := find_cause_remedy(code=code, words=words):
        return remedy
    if flow == "jwt_bearer":
        return (
            "Check the consumer key in Enter Connected App Details, the user name of the Authorization, and that the "
            "CRM's app has the JWT bearer flow enabled with the certificate of Download Certificate."
        )
    if flow == "client_credentials":
        return (
            "Check the consumer key and secret in Enter Connected App Details, and that the CRM's connected app or "
            "External Client App allows the client credentials flow and names the user it runs as."
        )
    if code in _BLOCKED_FLOW:
        return (
            "The CRM does not allow the password flow: choose client credentials in Enter Connected App Details, or "
            "JWT bearer with a certificate. New organisations block the password flow, and External Client Apps do "
            "not have it."
        )
    if code in _WRONG_APP:
        return "Check the consumer key and consumer secret in Enter Connected App Details."
    return (
        "Check the user name and password. Unless the CRM trusts the Vault's network address, the user's security "
        "token belongs directly behind the password, in the same field of Set Password. If all of that is right, the "
        "CRM may no longer allow the password flow: choose client credentials in Enter Connected App Details."
    )
