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

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.consequences import SUBMITTED, Cause, Consequences, Routing, Written
from mainstay.db import GroupCommit, Write
from mainstay.errors import MalformedError, WorkflowError
from mainstay.identity import (
    IDENTITY,
    ContactWrite,
    Dropped,
    Person,
    load_contacts,
    normalise,
    person_from_json,
    person_to_json,
    resolve,
)
from mainstay.intake import SourceBinding, ToldEvent, mark_deliveries, told_before
from mainstay.model import CANARY, Event, RecordState, Run, RunState
from mainstay.records import Ownership, Word, keep, note_heard, take_told
from mainstay.records.erasing import erase_late
from mainstay.runs import Claimed, Progress, Settlement, settle
from mainstay.telemetry import traceparent
from mainstay.watch import REPORTED, Trouble, trouble_of_report

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.engine import StepRunner
    from mainstay.kit import Http, RawRequest
    from mainstay.model import Contact


Report = Callable[["Connection", UUID, Trouble], Awaitable[object]]
"""Opens a workspace's incident, in the transaction that keeps what it is of."""
FILE = "csv"
"""The kind of source that files are, which people bring in."""


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
    events = [
        event_to_json(source, event, request.received_at) for event in source.kind.parse(request, source.settings)
    ]
    data: dict[str, Any] = {"source": source.name, "events": events}
    synthetic = [event["person"] for event in events if (event["person"] or {}).get("email") == source.canary]
    if source.canary and synthetic:
        data[CANARY] = True
        for person in synthetic:
            person["flags"] = [*person.get("flags", ()), CANARY]
    return data


def event_to_json(source: SourceBinding, event: Event, received_at: datetime | None = None) -> dict[str, Any]:
    """Return an event as a run's input keeps it.

    What has no time of its own was said when it was received: done late, or once more, it is still as old.
    """
    person = None
    if event.submission is not None:
        submission = event.submission
        submission = replace(
            submission,
            connection=submission.connection or source.settings.connection,
            source=submission.source or source.name,
            occurred_at=submission.occurred_at or event.time or received_at,
        )
        try:
            person = person_to_json(normalise(submission, source.region))
        except MalformedError as error:
            raise MalformedError(f"{error}. Mend the source's map, or the form, then replay") from error
    record = event.record
    if record is not None:
        record = replace(record.canonical(), changed_at=record.changed_at or event.time or received_at)
    return {
        "type": event.type,
        "key": event.key,
        "time": event.time.isoformat() if event.time else None,
        "person": person,
        "data": dict(event.data),
        "record": record.to_json() if record else None,
        "reason": event.reason,
    }


def kind_of(source: SourceBinding) -> str:
    """Return who is believed when two sources say different things of one instant."""
    if source.kind.name == FILE:
        return "import"
    return "crm" if source.settings.connection else "form"


@dataclass(frozen=True, slots=True)
class Inbound:
    """One delivery whose events are complete, ready to be processed in one transaction.

    ``connection`` is whose word its records are. ``is_batch``: its events stand for themselves, and each may come again
    in another company.
    """

    run: Run
    steps: StepRunner
    routing: Routing
    source: str
    connection: str
    kind: str
    events: Sequence[Mapping[str, Any]]
    report: Report
    is_batch: bool = False
    trace: str = field(default_factory=traceparent)


class Journey:
    """Runs deliveries. ``program`` is what the engine calls for each inbound run."""

    def __init__(self, commit: GroupCommit, workspaces: Workspaces, report: Report) -> None:
        self._commit = commit
        self._workspaces = workspaces
        self._report = report
        self._process: Write[Inbound, Sequence[Claimed]] = Write("process deliveries", 20, process, locks=IDENTITY)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Drive one inbound run to its end; returns the runs that begin with it."""
        run = steps.run
        source = self._workspaces.source(run.workspace_id, run.input["source"])
        events = [
            event if event["person"] or not source.kind.fetch else await self._fetch(steps, source, event)
            for event in run.input["events"]
        ]
        routing = self._workspaces.routing(run.workspace_id)
        # What is fetched is as it is now, however often it is told of: to pass over a notice could miss a change.
        is_batch = len(events) > 1 and source.kind.fetch is None
        following = await self._commit(
            self._process,
            Inbound(run, steps, routing, source.name, source.system, kind_of(source), events, self._report, is_batch),
        )
        steps.take_unwritten()
        steps.is_settled = True
        return following

    @staticmethod
    async def _fetch(steps: StepRunner, source: SourceBinding, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the record that a notice only names."""
        fetch = source.kind.fetch
        if fetch is None or event["type"] == "unsupported":
            return event
        at = datetime.fromisoformat(event["time"]) if event["time"] else None
        record = RecordState.from_json(event["record"]) if event.get("record") else None
        notice = Event(event["type"], event["key"], at, None, event["data"], record=record)

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
    alive = await _without_repeats(
        connection, [item for item, fence in zip(items, fences, strict=True) if fence is None]
    )
    people = [
        (item, event, person_from_json(event["person"])) for item in alive for event in item.events if event["person"]
    ]
    resolutions = await resolve(connection, [_write(item, person) for item, _, person in people])
    about: dict[int, UUID] = {}
    dropped, of_deleted = {}, {}
    for (item, event, _), resolution in zip(people, resolutions, strict=True):
        if isinstance(resolution, Dropped):
            dropped[item.run.id] = resolution.reason
            if resolution.is_of_deleted and item.run.delivery_id is not None:
                of_deleted[item.run.id] = item.run.delivery_id
        else:
            about[id(event)] = resolution.contact.id
    heard = await _hear(connection, alive, about)
    consequences = Consequences()
    await consequences.of(
        connection,
        [
            Written(_cause(item), person, resolution, heard.event_of(event), event["data"])
            for (item, event, person), resolution in zip(people, resolutions, strict=True)
            if not isinstance(resolution, Dropped)
        ],
    )
    for item in alive:
        for event in item.events:
            if event["person"] is None and event["type"] != "unsupported" and not heard.is_late(event):
                consequences.happened(_cause(item), event["type"], heard.whom.get(id(event)), event["data"])
    await consequences.store(connection)
    await _report(connection, alive)
    await erase_late(connection, of_deleted)
    await mark_deliveries(
        connection,
        [_outcome(item, item.run.delivery_id, dropped.get(item.run.id, "")) for item in alive if item.run.delivery_id],
    )
    return [
        consequences.following.get(item.run.id, ()) if fence is None else fence
        for item, fence in zip(items, fences, strict=True)
    ]


async def _without_repeats(connection: Connection, items: Sequence[Inbound]) -> list[Inbound]:
    """Let the events of batches that another delivery brought before do nothing."""

    def told(item: Inbound, event: Mapping[str, Any]) -> ToldEvent | None:
        if not item.is_batch or not event["key"] or item.run.delivery_id is None:
            return None
        return ToldEvent(item.run.workspace_id, item.source, event["key"], item.run.delivery_id)

    said = [(item, event, told(item, event)) for item in items if item.is_batch for event in item.events]
    known = await told_before(connection, {each for *_, each in said if each is not None})
    repeats = {id(event) for _, event, each in said if each in known}
    nothing = {"type": "unsupported", "person": None, "record": None, "reason": "it came before, in another delivery"}

    def without(item: Inbound) -> Inbound:
        return replace(item, events=[{**each, **nothing} if id(each) in repeats else each for each in item.events])

    return [without(item) if item.is_batch else item for item in items]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of the records of deliveries, by their events, which are told by their identity in memory.

    ``whom`` is whom the record of an event is about; ``late`` are the events that a pull told before.
    """

    whom: Mapping[int, Contact]
    late: frozenset[int]

    def is_late(self, event: Mapping[str, Any]) -> bool:
        return id(event) in self.late

    def event_of(self, event: Mapping[str, Any]) -> str:
        """Return what an event of a person is told as: one that was told is a mere sign of life."""
        return SUBMITTED if self.is_late(event) else str(event["type"])


async def _hear(connection: Connection, items: Sequence[Inbound], about: Mapping[int, UUID]) -> _Heard:
    """Keep what deliveries say of records; ``about`` is whom their events are about."""
    said = [(event, word) for item in items for event, word in _words(item, about)]
    heard = await keep(connection, [word for _, word in said])
    contacts = await load_contacts(connection, {each.contact_id for each in heard if each.contact_id})
    both = [(event, word, found) for (event, word), found in zip(said, heard, strict=True)]
    late = await take_told(
        connection, [(word.connection, found.record_id, event["type"], found.is_news) for event, word, found in both]
    )
    await note_heard(connection, {(word.workspace_id, word.connection, word.state.type) for _, word in said})
    return _Heard(
        {
            id(event): contacts[found.contact_id]
            for event, _, found in both
            if found.contact_id is not None and found.contact_id in contacts
        },
        frozenset(id(event) for event, _, found in both if (found.record_id, event["type"]) in late),
    )


async def _report(connection: Connection, items: Sequence[Inbound]) -> None:
    """Make an incident of each failure that a no-code layer reports, in one order for all processes."""
    troubles = [
        (item, trouble_of_report(item.source, event["data"]))
        for item in items
        for event in item.events
        if event["type"] == REPORTED
    ]
    for item, trouble in sorted(troubles, key=lambda found: (found[0].run.workspace_id, found[1].fingerprint)):
        await item.report(connection, item.run.workspace_id, trouble)


def _write(item: Inbound, person: Person) -> ContactWrite:
    run = item.run
    # What a mirror says of somebody known is compared, not believed; somebody new is a lead, wherever they came.
    is_mirror = person.connection in item.routing.mirrors
    return ContactWrite(
        run.workspace_id,
        person,
        item.source,
        run.delivery_id,
        run.id,
        kind=item.kind,
        policy=item.routing.policy,
        unless_known=f"{person.connection} is a mirror, which has no word on a known contact" if is_mirror else "",
    )


def _words(item: Inbound, about: Mapping[int, UUID]) -> Iterator[tuple[Mapping[str, Any], Word]]:
    """Give what a delivery's events say of records; ``about`` is whom they are about, by their identity in memory."""
    for event in item.events:
        if (said := event.get("record")) is None:
            continue
        state = RecordState.from_json(said)
        yield (
            event,
            Word(
                item.run.workspace_id,
                item.connection,
                state,
                item.routing.records.get(state.type, Ownership()),
                item.source,
                about.get(id(event)),
                item.run.delivery_id,
                item.run.id,
            ),
        )


def _cause(item: Inbound) -> Cause:
    is_awaited = bool(item.run.input.get("answers"))
    return Cause(
        item.run.workspace_id, item.routing, item.source, item.run.delivery_id, item.run, is_awaited, trace=item.trace
    )


def _outcome(item: Inbound, delivery_id: UUID, dropped: str) -> tuple[UUID, str, str]:
    ignored = [event["reason"] for event in item.events if event["type"] == "unsupported"]
    if dropped or (ignored and len(ignored) == len(item.events)):
        return delivery_id, "ignored", "; ".join(filter(None, (dropped, *ignored)))[:500]
    return delivery_id, "processed", ""
