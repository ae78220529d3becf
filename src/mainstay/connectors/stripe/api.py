"""Stripe's API as this connector calls it: forms out, objects and pages in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any

from mainstay.kit import Http, PermanentError, Response, TransientError

VERSION = "2023-08-16"
"""Pinned, so that a change of the account's own version changes nothing here."""
PAGE = 100
MOST_PAGES = 200
TURNS = 4
"""How many idempotency keys are tried for one thing, each after a look."""
_ID = re.compile(r"[\w-]{1,255}", re.ASCII)


def require_id(value: str, what: str) -> str:
    """Return an id that is safe in a path; PermanentError when it is none."""
    if not _ID.fullmatch(value):
        raise PermanentError(f"{value[:60]!r} is not the id of {what}")
    return value


def key_of(*parts: object) -> str:
    """Return the idempotency key of one thing to be made.

    It is made of what the thing is, not of the run that makes it: so two runs that make the same at once get one.
    """
    return f"mainstay-{sha256(repr(parts).encode(errors='surrogatepass')).hexdigest()[:40]}"


class Api:
    """The calls of one attempt."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Read one object."""
        return (await self.page(path, params))[0]

    async def page(self, path: str, params: Mapping[str, str] | None = None) -> tuple[Mapping[str, Any], Response]:
        """Read one object, or page of a list, with the answer that it came in."""
        answer = await self._http.request("GET", path, params=params)
        found: Mapping[str, Any] = answer.data
        return found, answer

    async def delete(self, path: str) -> None:
        """Delete one object."""
        await self._http.request("DELETE", path)

    async def post(self, path: str, fields: Mapping[str, str], key: str = "") -> tuple[Mapping[str, Any], bool]:
        """Send a form; returns the object, and whether Stripe repeats its answer to an earlier call of this key."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self._http.request("POST", path, form=fields, headers=headers)
        return answer.data, answer.headers.get("idempotent-replayed") == "true"

    async def listed(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the objects of a list, newest first, over all its pages."""
        query = {**params, "limit": str(PAGE)}
        for _ in range(MOST_PAGES):
            answer = await self.get(path, query)
            items = objects(answer)
            for item in items:
                yield item
            if answer.get("has_more") is not True or not items:
                return
            query["starting_after"] = text(items[-1], "id")
        raise PermanentError(f"Stripe's list {path} has more than {MOST_PAGES * PAGE} entries")


def objects(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a list's objects, each with an id."""
    found = answer.get("data")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise odd("data", "a list of objects")
    for each in found:
        text(each, "id")
    return found


def text(item: Mapping[str, Any], key: str) -> str:
    """Return a text that must be there."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise odd(key, "a text")
    return value


def whole(item: Mapping[str, Any], key: str) -> int:
    """Return a whole number that must be there."""
    value = item.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise odd(key, "a whole number")
    return value


def optional(item: Mapping[str, Any], key: str) -> str:
    """Return a text; empty where there is none."""
    value = item.get(key)
    return value if isinstance(value, str) else ""


def mark(item: Mapping[str, Any], key: str) -> str:
    """Return an entry of an object's metadata; empty where there is none."""
    metadata = item.get("metadata")
    return optional(metadata, key) if isinstance(metadata, dict) else ""


def odd(key: str, wanted: str) -> TransientError:
    """Return the error of an answer that is not as Stripe says."""
    return TransientError(f"Stripe's answer is not as documented: {key} is not {wanted}")
