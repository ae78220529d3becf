"""Secrets of a source as settings: one, or several while one replaces the other."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from mainstay.kit.signature import equal


def _as_list(value: Any) -> Any:
    secrets = list(value) if isinstance(value, list | tuple) else [value]
    for secret in secrets:
        plain = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        if isinstance(plain, str) and not plain.strip():
            kind = "empty_secret"
            raise PydanticCustomError(kind, "the secret is empty: set it in the environment or in .env")
    return secrets


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_as_list)]
"""One secret or a list of secrets, any of which proves a sender; an empty text is refused."""


def require_one_way_in(name: str, token: SecretStr, client_id: str, client_secret: SecretStr) -> None:
    """Refuse a connection that has neither a token nor an OAuth app, or both, or half an app.

    Raises:
        ValueError: worded for a connection's settings; ``name`` is what the key of the token is called.
    """
    has_token, has_secret = bool(token.get_secret_value()), bool(client_secret.get_secret_value())
    if has_token == bool(client_id) or bool(client_id) != has_secret:
        message = f"give either {name}, or client_id with client_secret (then run  mainstay connect NAME)"
        raise ValueError(message)


def plain(secrets: tuple[SecretStr, ...]) -> list[str]:
    """Return the secrets themselves; never log what this gives."""
    return [secret.get_secret_value() for secret in secrets]


def is_one_of(given: str, secrets: tuple[SecretStr, ...]) -> bool:
    """Compare a shared secret with each accepted one in constant time."""
    return any(equal(given, secret) for secret in plain(secrets))
