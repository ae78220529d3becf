"""``ctx.layer``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainstay.engine.calls.role_call import RoleCall, made, sent
from mainstay.kit.roles import Made, Sent


@dataclass(frozen=True, slots=True)
class LayerCalls:
    """``ctx.layer``."""

    _call: RoleCall

    async def send(self, event: str, data: Mapping[str, Any]) -> Sent:
        """Tell a scenario, a zap or a workflow of another system what happened; ``data`` is any JSON."""
        return sent(await self._call("layer", "send_event", event, dict(data)))

    async def retry(self, execution: str) -> Made:
        """Run an execution that failed there again; ``layer.failed`` names it, and n8n alone can."""
        return made(await self._call("layer", "retry_execution", execution))
