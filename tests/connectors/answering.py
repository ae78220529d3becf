"""A client whose vendor answers always the same, without a network: for answers of any form, many of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any, cast

import aiohttp

from mainstay.errors import VendorError
from mainstay.kit import Http, HttpSettings, Response


class Answering(Http):
    """Gives ``body`` with status 200 to each request, as the connection's error mapping lets it through."""

    def __init__(self, settings: HttpSettings, body: Any) -> None:
        super().__init__(cast("aiohttp.ClientSession", None), settings, idempotency_key="run/2")
        self._judge = settings.classify
        self._answer = Response(200, {}, json.dumps(body).encode(), body)

    async def request(self, *_given: Any, **_options: Any) -> Response:
        refusal = self._judge(self._answer)
        if refusal is not None:
            raise refusal
        return self._answer


async def with_clear_errors(*calls: Awaitable[Any]) -> None:
    """Await calls of which each gives something or one of our errors, with its words."""
    for call in calls:
        try:
            await call
        except VendorError as caught:
            error = caught
        else:
            continue
        assert str(error)
