"""The log-in of the SOAP API, which clients use that have no connected app, and what is told of a session's user."""

from typing import Any

from crm_sync.sandbox.api.oauth import AUTHENTICATION_FAILURE, check_password
from crm_sync.sandbox.api.soap_envelope import Dialect, LogInFaultError, SoapCall
from crm_sync.sandbox.data.credentials import SandboxUser
from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.errors import LOG_IN_REFUSALS
from crm_sync.sandbox.service import Service

PROFILE_KEY_PREFIX = "00e"
MAX_ATTACHMENT_BYTES = 5_242_880


def log_in(service: Service, call: SoapCall, *, dialect: Dialect, base_url: str, version: str) -> dict[str, Any]:
    """Return the result of `login`. Raises LogInFaultError.

    The setting `refuse_log_in` refuses correct credentials, too.
    """
    user = check_password(service, username=call.read_text("username"), password=call.read_text("password"))
    refusal = LOG_IN_REFUSALS.get(service.misbehaviour.refuse_log_in)
    if user is None or refusal is not None:
        refusal = refusal if user and refusal else AUTHENTICATION_FAILURE
        raise LogInFaultError(refusal.soap_code, refusal.soap_message, status=500)
    session = service.organisation.sessions.open_session(user_id=user.id)
    path = f"{version}/{service.organisation.id[:15]}"
    return {
        "metadataServerUrl": f"{base_url}/services/Soap/m/{path}",
        "passwordExpired": False,
        "sandbox": True,
        "serverUrl": f"{base_url}/services/Soap/{dialect.letter}/{path}",
        "sessionId": session.token,
        "userId": user.id,
        "userInfo": describe_user(service, user),
    }


def describe_user(service: Service, user: SandboxUser) -> dict[str, Any]:
    """Return what `login` and `getUserInfo` tell of a user. All users have one profile."""
    organisation = service.organisation
    account = organisation.schema.find("Account")
    return {
        "accessibilityMode": False,
        "chatterExternal": False,
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": MAX_ATTACHMENT_BYTES,
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDefaultCurrencyLocale": "en_US",
        "orgDisallowHtmlAttachments": False,
        "orgHasPersonAccounts": account is not None and account.find_field("IsPersonAccount") is not None,
        "organizationId": organisation.id,
        "organizationMultiCurrency": False,
        "organizationName": organisation.name,
        "profileId": build_id(key_prefix=PROFILE_KEY_PREFIX, pod=organisation.pod, number=1),
        "roleId": None,
        "sessionSecondsValid": int(organisation.sessions.idle_seconds),
        "userDefaultCurrencyIsoCode": None,
        "userEmail": user.email,
        "userFullName": user.name,
        "userId": user.id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user.username,
        "userTimeZone": "Etc/UTC",
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }
