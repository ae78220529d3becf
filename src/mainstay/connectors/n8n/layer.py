"""The layer role on an n8n Webhook node."""

from __future__ import annotations

import base64
import re
from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.connectors.n8n.executions import Api, find_retry, pull, retry
from mainstay.kit import Failures, Http, HttpSettings, Made, NeedsHumanError, RecordStore, Response, VendorError
from mainstay.kit.hook import HookConnection, HookLayer, classify_hook, hook_settings

MAX_BYTES = 16_000_000
"""What an n8n takes where N8N_PAYLOAD_SIZE_MAX says nothing else."""
_GONE = "open the workflow in n8n, activate it, and take the Webhook node's Production URL"
_CREDENTIALS = "compare the Webhook node's Authentication with this connection's"
_REFUSED = frozenset({401, 403})
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_NONE = SecretStr("")


class N8nConnection(HookConnection):
    """``{ connector = "n8n", url = "${N8N_HOOK}", secret = "${N8N_SECRET}" }``."""

    user: str = Field("", description="User of the Webhook node's Basic Auth.")
    password: SecretStr = Field(_NONE, description="Its password.")
    header: str = Field("", description="Name of the Webhook node's Header Auth; Authorization for JWT Auth.")
    header_value: SecretStr = Field(_NONE, description="Its value; Bearer and the token for JWT Auth.")
    api_key: SecretStr = Field(_NONE, description="A key of n8n's API, by which is asked what failed, and run again.")

    @model_validator(mode="after")
    def _is_n8ns(self) -> Self:
        if "/webhook-test/" in self.place.path:
            message = "url is a Test URL, which listens only while the editor is open: take the node's Production URL"
            raise ValueError(message)
        pairs = ((self.user, self.password), (self.header, self.header_value))
        if any(bool(name) != bool(value.get_secret_value()) for name, value in pairs) or (self.user and self.header):
            message = "give user and password (Basic Auth), or header and header_value (Header Auth), or neither"
            raise ValueError(message)
        if self.header and not _HEADER.fullmatch(self.header):
            message = "header must be a header's name, like X-Key"
            raise ValueError(message)
        return self

    @property
    def entry(self) -> dict[str, str]:
        """The headers that the node's authentication asks for; never log what this gives."""
        if self.user:
            pair = f"{self.user}:{self.password.get_secret_value()}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {self.header: self.header_value.get_secret_value()} if self.header else {}

    @property
    def root(self) -> str:
        """The path below which n8n itself is, before its hooks' and its API's."""
        return self.place.path.partition("/webhook/")[0].rstrip("/")


def http_settings(settings: N8nConnection) -> HttpSettings:
    """Return how to reach the hook."""
    entry = settings.entry
    secrets = (*entry.values(), *(value.rpartition(" ")[2] for value in entry.values()))
    more = filter(None, (settings.password.get_secret_value(), settings.api_key.get_secret_value()))
    return hook_settings(settings, classify_answer, secrets=(*secrets, *more))


def make_layer(settings: N8nConnection, http: Http, _store: RecordStore | None = None) -> N8nLayer:
    """Build the role for one attempt."""
    return N8nLayer(settings, http)


async def check(settings: N8nConnection, http: Http) -> str:
    """Read one execution; a hook itself cannot be tried, as that would start it."""
    host = settings.place.netloc
    if not settings.api_key.get_secret_value():
        return f"the hook at {host} is not tried, as that would start it; with api_key its n8n is"
    await Api(settings, http).read("/executions", {"limit": "1"})
    return f"the n8n at {host}, whose executions may be read"


class N8nLayer(HookLayer):
    """A Webhook node, and the executions of its n8n."""

    def __init__(self, settings: N8nConnection, http: Http) -> None:
        super().__init__(settings, http, MAX_BYTES, settings.entry)
        self._api = Api(settings, http)

    async def pull_failures(self, cursor: str) -> Failures:
        """Return a page of the executions that failed."""
        return await pull(self._api, cursor)

    async def retry_execution(self, execution: str) -> Made:
        """Run an execution again, with the workflow as it is saved now."""
        return await retry(self._api, execution)

    async def find_retry_execution(self, execution: str) -> Made | None:
        """Look for a retry of an execution that is no older than this step's first try."""
        return await find_retry(self._api, execution)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer. A 500 may be the workflow's own, where the node responds when it has ended."""
    refusal = classify_hook(response, _GONE)
    if response.status in _REFUSED:
        return NeedsHumanError(f"{refusal}; {_CREDENTIALS}", status=response.status)
    return refusal
