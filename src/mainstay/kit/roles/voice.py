"""The role of an AI caller: it phones somebody and tells how it went."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from mainstay.errors import PermanentError

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Sent

CallStatus = Literal["queued", "ringing", "talking", "ended"]
CallOutcome = Literal["", "answered", "voicemail", "no_answer", "busy", "failed"]
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a workflow orders it.

    ``to`` is a number in E.164 form. ``agent`` is who speaks (an assistant, an agent, a pathway, by its id there);
    empty for the connection's own. ``variables`` are what its script may say.
    """

    to: str
    agent: str = ""
    name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallState:
    """A call as it stands. ``outcome`` is empty until it ended; ``reason`` is the vendor's own word for it."""

    id: str
    status: CallStatus
    outcome: CallOutcome = ""
    reason: str = ""
    seconds: int = 0
    summary: str = ""
    transcript: str = ""
    recording_url: str = ""


class Voice(Protocol):
    """An AI caller. Its source turns the end of a call into an event ``call.ended`` with a CallState's fields."""

    async def place_call(self, call: Call) -> Sent:
        """Have somebody called; the outcome's id is the call's."""
        ...

    async def stop_call(self, call_id: str) -> None:
        """End a call that is waiting or under way; ended already, nothing happens."""
        ...

    async def fetch_call(self, call_id: str) -> CallState | None:
        """Read a call; None when there is none."""
        ...


def require_callable(to: str) -> None:
    """Refuse a number that nobody can be phoned at.

    Raises:
        PermanentError: ``to`` is no number as ``+13125550147``.
    """
    if not _NUMBER.fullmatch(to):
        raise PermanentError("the number to phone must be written with its country, such as +13125550147")
