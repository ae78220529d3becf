"""The journey of a lead, top to bottom. Read this file first.

    request -> intake keeps it and enqueues a run -> [this file]
        read      the source's parser makes events of it, identity brings the person into canonical form
        process   one transaction: the contact is found or made, its system of record is told to want it, the events
                  are written, waiting runs wake, the workflows of each event get their runs
        push      the record goes to its system of record (records.push)
        workflows the user's own code runs (engine)

Each arrow hands on one frozen value; no stage calls another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import GroupCommit, Write
from mainstay.errors import MalformedError, WorkflowError
from mainstay.identity import ContactWrite, Person, Resolution, normalise, person_from_json, person_to_json, resolve
from mainstay.intake import SourceBinding, mark_deliveries
from mainstay.model import Contact, Event, Run, RunState, new_id
from mainstay.records import Want, link, want
from mainstay.records.store import PUSH
from mainstay.runs import Claimed, NewRun, Progress, Settlement, add_runs, settle, wake

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.engine import StepRunner
    from mainstay.kit import Http, RawRequest


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a workspace's contacts go.

    ``system_of_record`` is the connection to push to, empty when Mainstay's own store is the system of record;
    ``workflows`` maps an event type to the names of the workflows it starts.
    """

    system_of_record: str
    workflows: Mapping[str, Sequence[str]]
    region: str


class Workspaces(Protocol):
    """What the composition root knows of every workspace."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...

    def source(self, workspace_id: UUID, name: str) -> SourceBinding:
        """Return a source, or raise LookupError."""
        ...


def read(source: SourceBinding, request: RawRequest) -> Mapping[str, Any]:
    """Turn an authentic request into a run's input: its events, each person in canonical form.

    Raises:
        MalformedError: the source cannot read it, or no person can be recognised in it.
    """
    events = source.kind.parse(request, source.settings)
    return {"source": source.name, "events": [event_to_json(source, event) for event in events]}


def event_to_json(source: SourceBinding, event: Event) -> dict[str, Any]:
    """Return an event as a run's input keeps it."""
    person = None
    if event.submission is not None:
        submission = event.submission
        if source.settings.connection and not submission.connection:
            submission = replace(submission, connection=source.settings.connection)
        person = person_to_json(normalise(replace(submission, source=submission.source or source.name), source.region))
    return {
        "type": event.type,
        "key": event.key,
        "time": event.time.isoformat() if event.time else None,
        "person": person,
        "data": dict(event.data),
        "reason": event.reason,
    }


@dataclass(frozen=True, slots=True)
class Inbound:
    """One delivery whose events are complete, ready to be processed in one transaction."""

    run: Run
    steps: StepRunner
    routing: Routing
    source: str
    events: Sequence[Mapping[str, Any]]


class Journey:
    """Runs deliveries. ``program`` is what the engine calls for each inbound run."""

    def __init__(self, commit: GroupCommit, workspaces: Workspaces) -> None:
        self._commit = commit
        self._workspaces = workspaces
        self._process: Write[Inbound, Sequence[Claimed]] = Write("process deliveries", 20, process)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Drive one inbound run to its end; returns the runs that begin with it."""
        run = steps.run
        source = self._workspaces.source(run.workspace_id, run.input["source"])
        events = [
            event if event["person"] or not source.kind.fetch else await self._fetch(steps, source, event)
            for event in run.input["events"]
        ]
        routing = self._workspaces.routing(run.workspace_id)
        following = await self._commit(self._process, Inbound(run, steps, routing, source.name, events))
        steps.take_unwritten()
        steps.is_settled = True
        return following

    @staticmethod
    async def _fetch(steps: StepRunner, source: SourceBinding, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the record that a notice only names."""
        fetch = source.kind.fetch
        if fetch is None or event["type"] == "unsupported":
            return event
        notice = Event(event["type"], event["key"], None, None, event["data"])

        async def call(http: Http) -> Any:
            try:
                return event_to_json(source, await fetch(notice, source.settings, http))
            except MalformedError as error:
                raise WorkflowError(str(error)) from error

        connection = source.settings.connection or f"source:{source.name}"
        fetched: Mapping[str, Any] = await steps.step("source.fetch", call, connection=connection)
        return fetched


async def process(connection: Connection, items: Sequence[Inbound]) -> list[Sequence[Claimed] | Exception]:
    """Process deliveries in one transaction; each result is the runs that begin with that delivery, or why not."""
    fences = await settle(
        connection,
        [Progress(item.run, item.steps.unwritten, Settlement(RunState.DONE)) for item in items],
    )
    alive = [item for item, fence in zip(items, fences, strict=True) if fence is None]
    people = [
        (item, event, person_from_json(event["person"])) for item in alive for event in item.events if event["person"]
    ]
    resolutions = await resolve(
        connection,
        [
            ContactWrite(item.run.workspace_id, person, item.source, item.run.delivery_id, item.run.id)
            for item, _, person in people
        ],
    )
    starts = _Starts()
    wants = await _tell_systems_of_record(connection, people, resolutions)
    for pushing in wants:
        if pushing.run_id is not None:
            starts.push(pushing.want, pushing.run_id, pushing.external_id, people, resolutions)
    for (item, event, _), resolution in zip(people, resolutions, strict=True):
        starts.events(item, event, resolution)
    for item in alive:
        for event in item.events:
            if event["person"] is None and event["type"] != "unsupported":
                starts.happened(item, event["type"], None, event["data"])
    await starts.store(connection)
    await mark_deliveries(connection, [_outcome(item, item.run.delivery_id) for item in alive if item.run.delivery_id])
    return [
        starts.following.get(item.run.id, ()) if fence is None else fence
        for item, fence in zip(items, fences, strict=True)
    ]


def _outcome(item: Inbound, delivery_id: UUID) -> tuple[UUID, str, str]:
    ignored = [event["reason"] for event in item.events if event["type"] == "unsupported"]
    if ignored and len(ignored) == len(item.events):
        return delivery_id, "ignored", "; ".join(filter(None, ignored))[:500]
    return delivery_id, "processed", ""


async def _tell_systems_of_record(
    connection: Connection,
    people: Sequence[tuple[Inbound, Mapping[str, Any], Person]],
    resolutions: Sequence[Resolution],
) -> Sequence[Any]:
    wants, links = [], []
    for (item, _, person), resolution in zip(people, resolutions, strict=True):
        contact = resolution.contact
        if person.external_id and person.connection:
            links.append(
                (Want(contact.workspace_id, contact.id, contact.version, person.connection), person.external_id)
            )
        system = item.routing.system_of_record
        is_news_to_it = resolution.is_new or resolution.changed
        if system and is_news_to_it and not _knows_already(person, contact, system):
            wants.append(Want(contact.workspace_id, contact.id, contact.version, system))
    if links:
        await link(connection, links)
    return await want(connection, wants) if wants else ()


def _knows_already(person: Person, contact: Contact, system: str) -> bool:
    """Tell whether the system of record itself sent exactly what the contact now is: an echo needs no push."""
    return (
        person.connection == system
        and bool(person.external_id)
        and all(
            getattr(person, name) == getattr(contact, name)
            for name in ("email", "phone", "first_name", "last_name", "company")
        )
    )


class _Starts:
    """The runs and events that a transaction begins, gathered over all its deliveries."""

    def __init__(self) -> None:
        self.following: dict[UUID, list[Claimed]] = {}
        self._runs: list[NewRun] = []
        self._events: list[tuple[Any, ...]] = []
        self._wakes: list[tuple[UUID, str, UUID | None, Mapping[str, Any]]] = []
        self._now = datetime.now(UTC)

    def push(
        self,
        wanted: Want,
        run_id: UUID,
        external_id: str,
        people: Sequence[tuple[Inbound, Mapping[str, Any], Person]],
        resolutions: Sequence[Resolution],
    ) -> None:
        """Begin a push with the newest state of this transaction at hand, so that it need not be read again."""
        for (item, _, _), resolution in zip(people, resolutions, strict=True):
            if resolution.contact.id == wanted.record_id and resolution.contact.version == wanted.version:
                data = {
                    "contact_id": str(wanted.record_id),
                    "connection": wanted.connection,
                    "version": wanted.version,
                    "external_id": external_id,
                }
                self._start(item, PUSH, data, run_id, resolution.contact, None)
                return

    def events(self, item: Inbound, event: Mapping[str, Any], resolution: Resolution) -> None:
        """Write what happened to the contact, and begin the workflows that it starts."""
        contact = resolution.contact
        if event["type"] != "contact.submitted":
            self.happened(item, event["type"], contact, event["data"])
        kind = "contact.created" if resolution.is_new else "contact.updated" if resolution.changed else ""
        data = {"source": item.source, "rule": resolution.rule, "changed": list(resolution.changed)}
        self.happened(item, "contact.submitted", contact, data)
        if kind:
            self.happened(item, kind, contact, data)

    def happened(self, item: Inbound, kind: str, contact: Contact | None, data: Mapping[str, Any]) -> None:
        """Write one event."""
        event_id, run = new_id(), item.run
        contact_id = contact.id if contact else None
        if kind != "contact.submitted":
            self._events.append(
                (event_id, run.workspace_id, kind, contact_id, item.source, run.delivery_id, dict(data), self._now)
            )
        self._wakes.append((run.workspace_id, kind, contact_id, {"type": kind, **data}))
        if contact is not None:
            for workflow in item.routing.workflows.get(kind, ()):
                self._start(item, workflow, {"contact": contact_to_json(contact)}, new_id(), contact, event_id)

    def _start(
        self,
        item: Inbound,
        workflow: str,
        data: Mapping[str, Any],
        run_id: UUID,
        contact: Contact,
        event_id: UUID | None,
    ) -> None:
        begins = replace(
            item.run,
            id=run_id,
            workflow=workflow,
            input=data,
            event_id=event_id,
            contact_id=contact.id,
            created_at=self._now,
            taken_over=False,
        )
        self._runs.append(
            NewRun(
                run_id,
                begins.workspace_id,
                workflow,
                data,
                begins.execution_id,
                begins.delivery_id,
                event_id,
                contact.id,
            )
        )
        self.following.setdefault(item.run.id, []).append(Claimed(begins, known=contact))

    async def store(self, connection: Connection) -> None:
        if self._runs:
            await add_runs(
                connection, self._runs, claims={c.run.id: c.run.claim for f in self.following.values() for c in f}
            )
        if self._events:
            await connection.executemany(
                """
                INSERT INTO events (id, workspace_id, type, contact_id, source, delivery_id, data, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                """,
                self._events,
            )
        if self._wakes:
            await wake(connection, self._wakes)


def contact_to_json(contact: Contact) -> dict[str, Any]:
    """Return a contact as a run's input keeps it."""
    data = {name: getattr(contact, name) for name in Contact.__dataclass_fields__}
    return data | {"custom": dict(contact.custom), "created_at": None, "updated_at": None}


def contact_from_json(data: Mapping[str, Any]) -> Contact:
    """Read what :func:`contact_to_json` wrote."""
    return Contact(
        **{
            **data,
            "id": UUID(str(data["id"])),
            "workspace_id": UUID(str(data["workspace_id"])),
            "tags": tuple(data["tags"]),
        }
    )
