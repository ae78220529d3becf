"""The role of a no-code layer: it is told what happened, by a signed webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Sent


class Layer(Protocol):
    """A scenario, a zap, a workflow of another system."""

    async def send_event(self, event: str, data: Mapping[str, Any]) -> Sent:
        """Tell of an event such as ``lead.qualified``; its id, the outcome's, is the same each time it is told."""
        ...
