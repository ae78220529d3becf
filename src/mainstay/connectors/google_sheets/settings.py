"""What stack.toml says of a spreadsheet, and how Mainstay gets into it."""

from __future__ import annotations

import base64
import re
import time
from functools import cached_property
from typing import Any, Literal, Self

import orjson
from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, OAuth

API = "https://sheets.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 an address
AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
SCOPE = "https://www.googleapis.com/auth/spreadsheets"
_EMPTY = SecretStr("")
_ADDRESS = re.compile(r"https://docs\.google\.com/spreadsheets/d/([\w-]+)(?:/.*)?")
_ID = re.compile(r"[\w-]{20,200}")
_LIFETIME = 3600
# Google refuses a statement from the future, and clocks differ.
_SKEW = 30


class GoogleSheetsConnection(ConnectionSettings):
    """``{ connector = "google_sheets", spreadsheet_id = "1AbC...", credentials = "${GOOGLE_CREDENTIALS}" }``."""

    spreadsheet_id: str = Field(description="What stands in the spreadsheet's address after /d/; or the address.")
    credentials: SecretStr = Field(_EMPTY, description="A service account's key, as JSON.")
    client_id: str = Field("", description="An OAuth client in place of a service account, with client_secret.")
    client_secret: SecretStr = Field(_EMPTY, description="The OAuth client's secret.")
    access_token: SecretStr = Field(_EMPTY, description="A token that is made elsewhere; Google's live for an hour.")
    create: Literal["nothing", "columns", "tables"] = Field(
        "columns", description="What is added where it is missing: nothing, columns, or also whole sheets."
    )

    @field_validator("spreadsheet_id")
    @classmethod
    def _is_id(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        value = found[1] if found else value
        if not _ID.fullmatch(value):
            message = "is no spreadsheet's id: copy what stands in its address between /d/ and /edit"
            raise ValueError(message)
        return value

    @field_validator("credentials")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            _read_key(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        given = [bool(each.get_secret_value()) for each in (self.credentials, self.client_secret, self.access_token)]
        if sum(given) != 1 or bool(self.client_id) != given[1]:
            message = "give one of: credentials (a service account's key), client_id with client_secret, access_token"
            raise ValueError(message)
        return self

    @property
    def token_url(self) -> str:
        """Where tokens come from."""
        return f"{self.base_url.rstrip('/')}/token" if self.base_url else TOKEN_URL

    @cached_property
    def key(self) -> dict[str, str]:
        """The service account's key; empty where there is none. Never log what this gives."""
        written = self.credentials.get_secret_value()
        return _read_key(written) if written else {}

    @property
    def who(self) -> str:
        """Whom a spreadsheet must be shared with."""
        return self.key.get("client_email") or "the Google account that was connected"


def oauth(settings: GoogleSheetsConnection) -> OAuth | None:
    """Return how tokens are got; None for a fixed one."""
    if settings.access_token.get_secret_value():
        return None
    if settings.key:
        return OAuth(
            authorize_url="",
            token_url=settings.token_url,
            client_id=settings.key["client_email"],
            client_secret="",
            scopes=(SCOPE,),
            grant="jwt_bearer",
            assertion=lambda: sign(settings.key, settings.token_url),
        )
    return OAuth(
        authorize_url=f"{settings.base_url.rstrip('/')}/o/oauth2/v2/auth" if settings.base_url else AUTHORIZE_URL,
        token_url=settings.token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=(SCOPE,),
        client_auth="body",
        # Without both Google gives no refresh token to somebody who has agreed before.
        authorize_params={"access_type": "offline", "prompt": "consent"},
        uses_pkce=True,
    )


def sign(key: dict[str, str], token_url: str) -> str:
    """Return a service account's statement, for an hour from now (JWT, RS256)."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 a stack without Google should not pay for it
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    now = int(time.time()) - _SKEW
    header = {"alg": "RS256", "typ": "JWT", "kid": key.get("private_key_id", "")}
    claims = {"iss": key["client_email"], "scope": SCOPE, "aud": token_url, "iat": now, "exp": now + _LIFETIME}
    body = f"{_part(orjson.dumps(header))}.{_part(orjson.dumps(claims))}"
    signature = _private(key["private_key"]).sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{body}.{_part(signature)}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _read_key(written: str) -> dict[str, str]:
    try:
        key = orjson.loads(written)
    except orjson.JSONDecodeError:
        message = "is no JSON: put the content of the service account's key file there, whole"
        raise ValueError(message) from None
    texts = {name: value for name, value in key.items() if isinstance(value, str)} if isinstance(key, dict) else {}
    if texts.get("type") != "service_account" or not texts.get("client_email") or not texts.get("private_key"):
        message = "is no service account's key: it has type, client_email and private_key"
        raise ValueError(message)
    _private(texts["private_key"])
    return texts


def _private(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        message = "holds a private_key that cannot be read: copy the file again, with its \\n as they are"
        raise ValueError(message) from None
    return key
