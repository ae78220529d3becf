"""A client whose vendor answers always the same, without a network: for answers of any form, many of them."""

from __future__ import annotations

import json
from typing import Any, cast

import aiohttp

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
