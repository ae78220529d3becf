"""Where a swap stands by the stack that is in force, and what is next; shared by the commands of ``mainstay swap``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstay.cli.command import Options, stack_files
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.people import BY

if TYPE_CHECKING:
    from mainstay.access import Checked
    from mainstay.app import App, Workspace
    from mainstay.swaps import Phase, Remark, Side, Standing, Swap
    from mainstay.swaps.rules import State


@dataclass(frozen=True, slots=True)
class Change:
    """An edit of stack.toml that is next. ``despite`` says what stands against it; ``is_refused``, that it counts."""

    title: str
    file: Path
    before: str
    after: str
    state: State
    despite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a swap. ``mirror`` is the one whose standing it is: of the new system, once over of the old."""

    old: str
    new: str
    phase: Phase
    mirror: str
    standing: Standing | None
    obstacles: tuple[str, ...]
    contacts: int | None = None
    seconds: float | None = None
    access: Sequence[Checked] = ()
    remarks: Sequence[Remark] = ()
    swap: Swap | None = None
    change: Change | None = None


async def look(app: App, workspace: Workspace, options: Options, old: str, new: str, *, goes_on: bool = False) -> Told:
    """Note where the swap is by the stack, and return what is next. Who ``goes_on`` begins the comparison that is due.

    Raises:
        CommandError: these two connections cannot be swapped.
    """
    from mainstay.db import acquire, transact
    from mainstay.swaps import latest, note, obstacles, phase_of, standing_of

    stack = workspace.stack
    _require(workspace, old, new)
    state: State | None = "over" if stack.system_of_record == new else "running" if new in stack.mirrors else None
    mirror = old if state == "over" else new
    now = datetime.now(UTC)
    if state is not None:
        await transact(app.pool, lambda connection: note(connection, workspace.id, old, new, state, by=BY))
    async with acquire(app.pool) as connection:
        standing = await standing_of(connection, workspace.id, mirror)
        swap = await latest(connection, workspace.id) if state else None
    phase = phase_of(state, standing, now)
    found = () if workspace.connector(mirror).is_builtin else tuple(obstacles(standing, now))
    if goes_on and phase == "compare" and standing is not None and _is_to_compare(standing, now):
        await app.copies.compare(workspace.id, new)
        async with acquire(app.pool) as connection:
            standing = await standing_of(connection, workspace.id, mirror)
    told = Told(old, new, phase, mirror, standing, found, swap=swap)
    return (
        await _with_check(app, workspace, options, told)
        if phase == "check"
        else _with_cut_over(workspace, options, told)
    )


async def look_back(app: App, workspace: Workspace, options: Options) -> Told:
    """Return what takes back the last swap.

    Raises:
        CommandError: there is none, or it is taken back already.
    """
    from mainstay.db import acquire
    from mainstay.settings import rewriting
    from mainstay.swaps import latest

    async with acquire(app.pool) as connection:
        last = await latest(connection, workspace.id)
    if last is None or last.state == "back":
        raise CommandError("there is no swap to take back", "Begin one: mainstay swap contact --from ghl --to hubspot")
    told = await look(app, workspace, options, last.old, last.new)
    file, before = _file(options, workspace)
    if told.phase == "over":
        is_mirrored = not workspace.connector(last.new).is_builtin
        after = rewriting.with_system_of_record(before, last.new, last.old, is_old_mirrored=is_mirrored)
        title = f"{last.old} is the system of record again, and {last.new} its mirror"
        return _changed(told, Change(title, file, before, after, "running", told.obstacles))
    after = rewriting.without_mirror(before, last.new)
    title = f"{last.new} is no mirror any more; what is in it stays there"
    return _changed(told, Change(title, file, before, after, "back"))


def _changed(told: Told, change: Change | None) -> Told:
    return replace(told, change=change)


def _require(workspace: Workspace, old: str, new: str) -> None:
    stack = workspace.stack
    for name in (old, new):
        entry = stack.connections.get(name)
        if entry is None:
            raise MissingError(f'there is no connection "{name}" in stack.toml', "See them: mainstay connections list")
        if "crm" not in entry.connector.roles:
            raise CommandError(f'connection "{name}" ({entry.connector.title}) is no CRM')
    if old == new or stack.connections[new].connector.is_builtin:
        raise CommandError(f"contacts cannot be swapped from {old} to {new}", "Name two CRMs: --from ghl --to hubspot")
    if stack.system_of_record not in {old, new}:
        raise CommandError(
            f"contacts live in {stack.system_of_record}, not in {old}", f"Say --from {stack.system_of_record}"
        )


def _is_to_compare(standing: Standing, now: datetime) -> bool:
    from mainstay.swaps.rules import FRESH

    if standing.is_comparing or standing.loaded_at is None:
        return False
    compared_at = standing.compared_at
    # What was open at the last one may have been put right since.
    return (
        compared_at is None
        or compared_at < standing.loaded_at
        or compared_at < now - FRESH
        or (standing.open_drifts > 0)
    )


async def _with_check(app: App, workspace: Workspace, options: Options, told: Told) -> Told:
    import asyncio

    from mainstay.access import check
    from mainstay.db import acquire
    from mainstay.settings import rewriting
    from mainstay.settings.policy import check_policy
    from mainstay.swaps import common_fields, contacts_to_copy, remarks, seconds_of_backfill

    old, new = _side(workspace, told.old), _side(workspace, told.new)
    async with acquire(app.pool) as connection:
        contacts = await contacts_to_copy(connection, workspace.id)
        in_use = await common_fields(connection, workspace.id)
    access = await asyncio.gather(
        *(
            check(each.name, each.connector, each.settings, app.open_http(workspace.id, each.name, ""))
            for each in (old, new)
        )
    )
    _, analyses = check_policy(workspace.stack, list(workspace.workflows.values()))
    calls: dict[str, set[str]] = defaultdict(set)
    for analysis in analyses.values():
        for call in analysis.calls.values():
            if call.role == "crm":
                calls[call.name].add(f"{Path(call.place.file).name}:{call.place.line}")
    unclear = [name for name, analysis in analyses.items() if analysis.unclear]
    found = remarks(old, new, calls=calls, in_use=in_use, unclear=unclear)
    file, before = _file(options, workspace)
    after = rewriting.with_mirror(before, told.new)
    stops = [each.text for each in found if each.is_stop]
    stops += [f"{each.name}: {each.text}" for each in access if each.state in {"failed", "no answer"}]
    return replace(
        told,
        obstacles=tuple(stops),
        contacts=contacts,
        seconds=seconds_of_backfill(new, contacts),
        access=access,
        remarks=found,
        change=Change(f"{told.new} is fed as a mirror", file, before, after, "running", tuple(stops)),
    )


def _with_cut_over(workspace: Workspace, options: Options, told: Told) -> Told:
    from mainstay.settings import rewriting

    if told.phase == "over":
        return told
    file, before = _file(options, workspace)
    is_mirrored = not workspace.connector(told.old).is_builtin
    after = rewriting.with_system_of_record(before, told.old, told.new, is_old_mirrored=is_mirrored)
    kept = f", and {told.old} its mirror" if is_mirrored else ""
    title = f"{told.new} is the system of record, for workflows too{kept}"
    return _changed(told, Change(title, file, before, after, "over", told.obstacles))


def _side(workspace: Workspace, name: str) -> Side:
    from mainstay.swaps import Side

    entry = workspace.stack.connections[name]
    sources = tuple(source for source, found in workspace.stack.sources.items() if found.settings.connection == name)
    return Side(name, entry.connector, entry.settings, sources)


def _file(options: Options, workspace: Workspace) -> tuple[Path, str]:
    """Return the stack's file with its text."""
    files = [path.resolve() for path in stack_files(options.stacks)]
    file = next(path for path in files if path.parent == workspace.stack.folder.resolve())
    return file, file.read_bytes().decode()


def as_json(told: Told, *, changed: bool, difference: str) -> dict[str, Any]:
    """Return what is told as JSON has it."""
    return {
        "old": told.old,
        "new": told.new,
        "phase": told.phase,
        "contacts": told.contacts,
        "seconds_of_backfill": told.seconds,
        "access": [{"connection": each.name, "state": each.state, "text": each.text} for each in told.access],
        "remarks": told.remarks,
        "mirror": told.mirror,
        "standing": told.standing,
        "obstacles": told.obstacles,
        "change": difference,
        "changed": changed,
    }
