"""The role of a no-code layer: it is told what happened, by a signed webhook, and some say what failed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Made, Sent


@dataclass(frozen=True, slots=True)
class LayerFailure:
    """One execution that failed: its id there, what ran, why it ended, at which step, and where people see it.

    ``at`` is ISO 8601, empty where it is not told.
    """

    id: str
    scenario: str
    error: str
    step: str = ""
    link: str = ""
    at: str = ""

    def report(self) -> Mapping[str, Any]:
        """Return what the layer would have sent of it to a source of the kind ``layer_failure``."""
        execution = {"id": self.id, "url": self.link, "error": {"message": self.error}, "lastNodeExecuted": self.step}
        return {"execution": execution, "workflow": {"name": self.scenario}, "when": self.at}


@dataclass(frozen=True, slots=True)
class Failures:
    """One page of what failed; ``cursor`` is where the next one goes on. Keep it once the failures are safe."""

    failures: tuple[LayerFailure, ...]
    cursor: str
    has_more: bool = False


class Layer(Protocol):
    """A scenario, a zap, a workflow of another system."""

    async def send_event(self, event: str, data: Mapping[str, Any]) -> Sent:
        """Tell of an event such as ``lead.qualified``; its id, the outcome's, is the same each time it is told."""
        ...


class PullingLayer(Layer, Protocol):
    """A layer that can be asked what failed; its connector names ``layer.pull_failures`` in ``idempotency``.

    Its connector's ``can_pull`` tells whether a connection can.
    """

    async def pull_failures(self, cursor: str) -> Failures:
        """Return what failed since the cursor was given, once or more often; an empty cursor: of the last day."""
        ...


class RetryingLayer(Layer, Protocol):
    """A layer that runs an execution again; its connector names ``layer.retry_execution`` in ``idempotency``."""

    async def retry_execution(self, execution: str) -> Made:
        """Run an execution that failed again, with the workflow as it is now; returns the new one."""
        ...
