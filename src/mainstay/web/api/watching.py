"""What broke, and what ran, over HTTP: the verdict, incidents, runs and their stories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mainstay.insight import RunFilter, incident_detail, list_runs, open_incidents, resolved_incidents, run_detail
from mainstay.insight import verdict as judge
from mainstay.model import AttemptState
from mainstay.web.api.contacts import Cursor, Limit, read_cursor
from mainstay.web.api.desk import Ask, Asking
from mainstay.web.api.problems import NOT_FOUND, ProblemError

if TYPE_CHECKING:
    from mainstay.insight import Count, IncidentRow, RunRow, Step, Thing
    from mainstay.model import Attempt

router = APIRouter()


class CountShape(BaseModel):
    """A number, counted up to 1,000: ``is_more`` says that there are more."""

    number: int
    is_more: bool

    @classmethod
    def of(cls, count: Count) -> CountShape:
        """Return a count as the API gives it."""
        return cls(number=count.number, is_more=count.is_more)


class ThingShape(BaseModel):
    """One thing that is broken, mends itself, or will break. ``affected`` counts the runs or deliveries it holds up."""

    kind: str
    title: str
    cause: str
    mend: Annotated[str, Field(description="What to do about it.")]
    since: datetime
    affected: CountShape
    incident_id: UUID | None


class SourceShape(BaseModel):
    """What a source brought in the last 24 hours; ``leads`` have a person in them."""

    source: str
    accepted: int
    leads: int
    repeated: int
    rejected: int


class StatusShape(BaseModel):
    """Did anything break in the last 24 hours? ``ahead`` breaks unless somebody acts."""

    state: Literal["fine", "healing", "broken"]
    sentence: str
    broken: list[ThingShape]
    recovering: list[ThingShape]
    stopped: list[ThingShape]
    ahead: list[ThingShape]
    sources: list[SourceShape]
    runs_done: int
    runs_failed: int
    queued: CountShape
    running: CountShape
    waiting: CountShape
    has_worker: bool
    now: datetime


class IncidentShape(BaseModel):
    """One cause of failures. ``stopped``: failed runs that nobody has handled; ``moving``: those under way again."""

    id: UUID
    state: str
    title: str
    cause: str
    mend: Annotated[str, Field(description="What to do about it.")]
    workflow: str
    connection: str
    source: str
    occurrences: int
    first_seen: datetime
    last_seen: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    stopped: CountShape
    moving: CountShape
    page: Annotated[str, Field(description="Its address on the pages.")]


class IncidentsPage(BaseModel):
    """Incidents, the latest news first. ``next`` is the cursor of the next page; null when this is the last."""

    incidents: list[IncidentShape]
    next: str | None = None


class RunLine(BaseModel):
    """A run as lists show it."""

    id: UUID
    workflow: str
    state: str
    contact_id: UUID | None
    contact_name: str
    incident_id: UUID | None
    waiting_for: str
    wake_at: datetime | None
    failed_step: int | None
    error: str
    retries: int
    created_at: datetime
    finished_at: datetime | None
    handled_at: datetime | None
    page: Annotated[str, Field(description="Its address on the pages.")]


class RunsPage(BaseModel):
    """A page of runs, the newest first. ``next`` is the cursor of the next page; null when this is the last."""

    runs: list[RunLine]
    next: str | None = None


class AttemptShape(BaseModel):
    """One try of a step. ``exchanges``: requests and responses, without bodies where the token lacks ``personal``."""

    number: int
    state: AttemptState
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str
    next_at: datetime | None
    exchanges: list[dict[str, Any]]


class StepShape(BaseModel):
    """One step of a run and its attempts, oldest first."""

    number: int
    name: str
    connection: str
    state: AttemptState
    attempts: list[AttemptShape]


class RunStory(RunLine):
    """A run, with what it did. ``stopped_at``: the step at which it stopped or waits; ``following`` began with it."""

    trigger: Annotated[str, Field(description="Where its delivery came from, and how that was verified.")]
    delivery_id: UUID | None
    input: dict[str, Any]
    steps: list[StepShape]
    stopped_at: int | None
    following: list[RunLine]
    has_all_attempts: bool


@router.get("/status", tags=["watch"])
async def status(ask: Ask) -> StatusShape:
    """Answer whether anything broke in the last 24 hours, with what to do about it."""
    async with ask.reading() as connection:
        found = await judge(connection, ask.workspace_id, datetime.now(UTC))
    counts: dict[str, Any] = {name: CountShape.of(getattr(found, name)) for name in ("queued", "running", "waiting")}
    things: dict[str, Any] = {
        name: [_thing(ask, each) for each in getattr(found, name)]
        for name in ("broken", "recovering", "stopped", "ahead")
    }
    return StatusShape(
        **_picked(found, "state", "sentence", "runs_done", "runs_failed", "has_worker", "now"),
        **counts,
        **things,
        sources=[SourceShape.model_validate(each, from_attributes=True) for each in found.sources],
    )


@router.get("/incidents", tags=["watch"])
async def incidents(
    ask: Ask,
    state: Annotated[Literal["open", "resolved"], Query(description="Those that are open, or that are over.")] = "open",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> IncidentsPage:
    """List incidents: of the open ones the latest hundred on one page, of those that are over page by page."""
    before = read_cursor(cursor)
    async with ask.reading() as connection:
        if state == "open":
            return IncidentsPage(
                incidents=[_incident(ask, each) for each in await open_incidents(connection, ask.workspace_id)]
            )
        page = await resolved_incidents(connection, ask.workspace_id, before=before, size=limit)
    return IncidentsPage(
        incidents=[_incident(ask, each) for each in page.items], next=str(page.before) if page.before else None
    )


@router.get("/incidents/{incident_id}", tags=["watch"])
async def incident(ask: Ask, incident_id: UUID) -> IncidentShape:
    """Show one incident."""
    async with ask.reading() as connection:
        found = await incident_detail(connection, ask.workspace_id, incident_id)
    if found is None:
        raise ProblemError(NOT_FOUND, "There is no such incident in this workspace.")
    return _incident(ask, found)


State = Literal["", "queued", "running", "waiting", "open", "failed", "stopped", "done", "cancelled"]


@router.get("/runs", tags=["runs"])
async def runs(  # noqa: PLR0917 - FastAPI hands them over by name
    ask: Ask,
    state: Annotated[State, Query(description="A state; stopped: failed and handled by nobody; open: not ended.")] = "",
    workflow: Annotated[str, Query(max_length=200, description="Of one workflow, by its whole name.")] = "",
    contact_id: Annotated[UUID | None, Query(description="About one contact.")] = None,
    incident_id: Annotated[UUID | None, Query(description="That one incident holds up.")] = None,
    q: Annotated[
        str,
        Query(
            max_length=200,
            description="A (short) id; with the scope personal also a name, an e-mail, a phone, or part of an error.",
        ),
    ] = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> RunsPage:
    """List runs, the newest first."""
    region = ask.desk.region(ask.workspace_id)
    wanted = RunFilter(state, workflow, contact_id, incident_id, q, region, by_id_alone=ask.mask.is_on)
    before = read_cursor(cursor)
    async with ask.reading() as connection:
        page = await list_runs(connection, ask.workspace_id, wanted, before=before, size=limit)
    return RunsPage(runs=[_line(ask, each) for each in page.items], next=str(page.before) if page.before else None)


@router.get("/runs/{run_id}/story", tags=["runs"])
async def run_story(ask: Ask, run_id: UUID) -> RunStory:
    """Tell the whole story of a run: what began it, each step and attempt, and where it stopped."""
    async with ask.reading() as connection:
        found = await run_detail(connection, ask.workspace_id, run_id)
    if found is None:
        raise ProblemError(NOT_FOUND, "There is no such run in this workspace.")
    delivery, stopped = found.delivery, found.stopped_at
    return RunStory(
        **_line(ask, found.run).model_dump(),
        trigger=f"{delivery.source} ({delivery.kind}), {delivery.verified}" if delivery else "",
        delivery_id=found.run.delivery_id,
        input=ask.mask.values(found.input),
        steps=[_step(ask, step) for step in found.steps],
        stopped_at=stopped.number if stopped else None,
        following=[_line(ask, each) for each in found.following],
        has_all_attempts=found.has_all_attempts,
    )


_INCIDENT = (
    "id", "state", "workflow", "connection", "source", "occurrences", "first_seen", "last_seen", "acknowledged_at",
    "resolved_at",
)  # fmt: skip


def _picked(row: object, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _masked(ask: Asking, row: object) -> dict[str, Any]:
    return {name: ask.mask.text(getattr(row, name)) for name in ("title", "cause", "mend")}


def _thing(ask: Asking, thing: Thing) -> ThingShape:
    return ThingShape(
        **_masked(ask, thing),
        **_picked(thing, "kind", "since", "incident_id"),
        affected=CountShape.of(thing.affected),
    )


def _incident(ask: Asking, row: IncidentRow) -> IncidentShape:
    return IncidentShape(
        **_picked(row, *_INCIDENT),
        **_masked(ask, row),
        stopped=CountShape.of(row.stopped),
        moving=CountShape.of(row.moving),
        page=ask.page(f"incidents/{row.id}"),
    )


def _line(ask: Asking, row: RunRow) -> RunLine:
    plain = _picked(row, *(name for name in RunLine.model_fields if name not in {"contact_name", "error", "page"}))
    return RunLine(
        **plain,
        contact_name=ask.mask.name(row.contact_name),
        error=ask.mask.text(row.error),
        page=ask.page(f"runs/{row.id}"),
    )


def _step(ask: Asking, step: Step) -> StepShape:
    return StepShape(
        number=step.number,
        name=step.name,
        connection=step.connection,
        state=step.state,
        attempts=[_attempt(ask, each) for each in step.attempts],
    )


def _attempt(ask: Asking, attempt: Attempt) -> AttemptShape:
    return AttemptShape(
        **_picked(attempt, "number", "state", "started_at", "duration_ms", "status", "next_at"),
        error=ask.mask.text(attempt.error),
        exchanges=[ask.mask.exchange(each) for each in attempt.exchanges],
    )
