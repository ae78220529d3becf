"""Alerts: durable runs of their own, so that a worker's death or a vendor's outage only delays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.engine.operations import call_operation, find_operation
from mainstay.kit.roles import EmailMessage
from mainstay.runs import Claimed, begin_run
from mainstay.watch.rules import trouble_of_drift, trouble_of_missed, trouble_of_run
from mainstay.watch.store import report, resolve_cause

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.engine import StepRunner
    from mainstay.kit import Http
    from mainstay.model import Run
    from mainstay.runs import Settlement
    from mainstay.watch.rules import Trouble

ALERT = "alert.v1"


@dataclass(frozen=True, slots=True)
class Route:
    """Where an alert goes: a connection, its role (``chat`` or ``email``), and a channel or address."""

    connection: str
    role: str
    target: str


class AlertRoutes(Protocol):
    """What the composition root knows of a workspace's alerts."""

    def alert_routes(self, workspace_id: UUID) -> Sequence[Route]:
        """Return where a workspace's alerts go."""
        ...

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...

    def incident_url(self, workspace_id: UUID, incident_id: UUID) -> str:
        """Return the address of an incident's page."""
        ...


class Drifting(Protocol):
    """A mirror that somebody changed."""

    @property
    def name(self) -> str: ...

    @property
    def connection(self) -> str: ...


class Missing(Protocol):
    """A connection whose changes no webhook brings."""

    @property
    def connection(self) -> str: ...

    @property
    def sources(self) -> Sequence[str]: ...


class Alerter:
    """Opens incidents and sends their alerts."""

    def __init__(self, routes: AlertRoutes) -> None:
        self._routes = routes

    async def raise_trouble(self, connection: Connection, workspace_id: UUID, trouble: Trouble) -> UUID:
        """Report a trouble; a new incident also gets its alert's run, in the same transaction."""
        reported = await report(connection, workspace_id, trouble)
        if reported.is_new and trouble.workflow != ALERT:
            for route in self._routes.alert_routes(workspace_id):
                await self._enqueue(connection, workspace_id, reported.id, trouble, route)
        return reported.id

    async def recover(self, connection: Connection, workspace_id: UUID, fingerprint: str) -> bool:
        """Resolve the incident of a cause that is gone; False when none is open."""
        return await resolve_cause(connection, workspace_id, fingerprint)

    async def run_failed(self, connection: Connection, run: Run, settlement: Settlement) -> None:
        """Report a failed run, at the connection of the step that failed."""
        at = await connection.fetchval(
            "SELECT connection FROM attempts WHERE run_id = $1 AND step = $2 ORDER BY number DESC LIMIT 1",
            run.id,
            settlement.failed_step,
        )
        trouble = trouble_of_run(run.workflow, at or "", settlement.fate, settlement.error)
        incident_id = await self.raise_trouble(connection, run.workspace_id, trouble)
        await connection.execute("UPDATE runs SET incident_id = $2 WHERE id = $1", run.id, incident_id)

    async def drifted(self, connection: Connection, workspace_id: UUID, mirror: Drifting, count: int) -> None:
        """Report that a mirror is not what was written to it."""
        await self.raise_trouble(connection, workspace_id, trouble_of_drift(mirror.name, mirror.connection, count))

    async def missed(
        self, connection: Connection, workspace_id: UUID, pull: Missing, count: int, since: datetime
    ) -> None:
        """Report that a connection's webhooks seem to come no more."""
        trouble = trouble_of_missed(pull.connection, pull.sources[0], count, since)
        await self.raise_trouble(connection, workspace_id, trouble)

    async def _enqueue(
        self, connection: Connection, workspace_id: UUID, incident_id: UUID, trouble: Trouble, route: Route
    ) -> None:
        data = {
            "incident_id": str(incident_id),
            "title": trouble.title,
            "cause": trouble.cause,
            "mend": trouble.mend,
            "route": asdict(route),
        }
        await begin_run(connection, workspace_id, ALERT, data)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Send one alert over one route."""
        run = steps.run
        text = self._text(run.workspace_id, run.input)
        await pass_on(steps, self._routes, Route(**run.input["route"]), f"Mainstay: {run.input['title']}", text)
        return ()

    def _text(self, workspace_id: UUID, data: Mapping[str, Any]) -> str:
        link = self._routes.incident_url(workspace_id, UUID(data["incident_id"]))
        return f"{data['title']}\n{data['cause']}\n{data['mend']}\n{link}"


class Vendors(Protocol):
    """What the composition root knows of a workspace's connections."""

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


async def pass_on(steps: StepRunner, vendors: Vendors, route: Route, subject: str, text: str) -> None:
    """Send a text over a route, as a run's step; an e-mail has a subject too."""
    operation = "post"
    arguments: tuple[Any, ...] = (route.target, text)
    if route.role == "email":
        operation, arguments = "send", (EmailMessage(to=route.target, subject=subject, text=text),)

    def made(http: Http) -> Any:
        return vendors.vendor(steps.run.workspace_id, route.connection, route.role, http)

    async def call(http: Http) -> Any:
        return await call_operation(made(http), operation, *arguments)

    async def find(http: Http) -> Any:
        return await find_operation(made(http), operation, *arguments)

    await steps.step(f"{route.role}.{operation}", call, connection=route.connection, find=find)
