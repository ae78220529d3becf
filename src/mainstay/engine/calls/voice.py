"""``ctx.voice``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.engine.calls.role_call import RoleCall, sent
from mainstay.errors import PermanentError
from mainstay.kit.roles import Call, CallState, Sent
from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class VoiceCalls:
    """``ctx.voice``."""

    _call: RoleCall

    async def call(self, to: Contact | str, *, agent: str = "", variables: Mapping[str, str] | None = None) -> Sent:
        """Have a contact or a number phoned; the id given back is the call's.

        How it went comes as an event: ``await ctx.wait_for("call.ended", contact=contact, timeout="1h")``.
        """
        name, contact = "", None
        if isinstance(to, Contact):
            contact = to
            if not to.phone:
                message = f"{to.name} has no phone number"
                raise PermanentError(message)
            name, to = to.name, to.phone
        call = Call(to, agent, name, dict(variables or {}))
        return sent(await self._call("voice", "place_call", call, contact=contact))

    async def stop(self, call_id: str) -> None:
        """End a call that is waiting or under way."""
        await self._call("voice", "stop_call", call_id)

    async def fetch(self, call_id: str) -> CallState | None:
        """Read a call as it stands; None when there is none."""
        found = await self._call("voice", "fetch_call", call_id)
        return CallState(**found) if found else None
