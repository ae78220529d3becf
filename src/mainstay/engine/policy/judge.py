"""Judges what the sources of workflows say by the rules."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.engine.calls.copies import TABLE
from mainstay.engine.calls.effects import written_type
from mainstay.engine.policy.analysis import Analysis, Call, Place, analyse
from mainstay.engine.policy.rules import RULES, SYNC_STEPS
from mainstay.engine.policy.source import OWN_ROLE, WAITS, Module, Sources
from mainstay.engine.policy.vendors import CONNECTORS, Vendor, vendor_in, vendor_of_package
from mainstay.errors import Problem

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stack says of its roles.

    ``connections`` maps each role to its connection; ``builtin`` are the roles that Mainstay's own store has; ``known``
    are all roles that some connector offers. ``systems`` maps each type of record to the connection that is right about
    it, empty for our own book, and ``mirrors`` to the connections that are copies of it. ``tables`` maps the tables
    that are mirrors, (connection, table), to their mirrors' names.
    """

    connections: Mapping[str, str] = field(default_factory=dict)
    builtin: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    systems: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, Collection[str]] = field(default_factory=dict)
    tables: Mapping[tuple[str, str], str] = field(default_factory=dict)


def judge(workflows: Sequence[Workflow], surroundings: Surroundings) -> tuple[list[Problem], Mapping[str, Analysis]]:
    """Return what is wrong with workflows, errors and warnings, each place once; and each one's analysis by its name.

    ``where`` of a problem is ``/absolute/file.py:line``.
    """
    sources = Sources()
    analyses = {declared.name: analyse(declared, sources) for declared in workflows}
    found: list[_Finding] = []
    modules: dict[Path, Module] = {}
    for declared in workflows:
        analysis = analyses[declared.name]
        modules |= analysis.modules
        found += _of_workflow(declared, analysis, surroundings)
    for module in modules.values():
        found += _of_file(module, surroundings)
    return _listed(found), analyses


@dataclass(frozen=True, slots=True)
class _Finding:
    code: str
    place: Place
    message: str
    hint: str

    @property
    def is_allowed(self) -> bool:
        return not RULES[self.code].is_error and self.code in self.place.allowed


def _listed(found: Iterable[_Finding]) -> list[Problem]:
    """Sort by place, and say each thing once: several workflows may share a function."""
    once = {(each.place.file, each.place.line, each.code, each.message): each for each in found if not each.is_allowed}
    return [
        Problem(f"{each.place.file}:{each.place.line}", "", each.message, each.hint, each.code)
        for _, each in sorted(once.items(), key=lambda item: item[0])
    ]


def _of_workflow(declared: Workflow, analysis: Analysis, surroundings: Surroundings) -> Iterator[_Finding]:
    if declared.is_sync:
        yield from _of_sync(declared, analysis, surroundings)
    for call in analysis.calls.values():
        yield from _of_write(declared, call, surroundings)
        if call.role and call.role not in {*surroundings.connections, OWN_ROLE}:
            known = ", ".join(sorted(surroundings.known))
            is_known = call.role in surroundings.known
            hint = f'add  {call.role} = "NAME"  to [roles] in stack.toml' if is_known else f"roles are: {known}"
            message = f'"{declared.name}" calls {call.name}, and no connection has the role {call.role}'
            yield _Finding("RUN008", call.place, message, hint)
    for (place, is_in_step), impurity in analysis.impure.items():
        if is_in_step:
            continue
        yield _Finding("RUN006", place, f"{impurity.name} {impurity.says} outside a step", impurity.mend)


def _of_write(declared: Workflow, call: Call, surroundings: Surroundings) -> Iterator[_Finding]:
    """Find what is written elsewhere than in the system that is right about it."""
    kind, connection = written_type(call.role, call.operation), surroundings.connections.get(call.role)
    if connection is not None and call.role == TABLE and (name := surroundings.tables.get((connection, call.first))):
        says = f'"{declared.name}" writes to the table "{call.first}" of "{connection}", which is the mirror "{name}"'
        yield _Finding("RUN009", call.place, says, f'write to the system of record, or give "{name}" another table')
    if kind is None or connection is None:
        return
    system = surroundings.systems.get(kind, "")
    right = f'"{system}"' if system else "our own book"
    says = f'"{declared.name}" writes a record of type {kind} to "{connection}" (ctx.{call.name})'
    roles = [role for role, each in surroundings.connections.items() if each == system and role != call.role]
    instead = next((role for role in roles if written_type(role, call.operation) == kind), "")
    there = f"call ctx.{instead}.{call.operation}" if instead else f"write it in {right}"
    if connection in surroundings.mirrors.get(kind, ()):
        out = f'take "{connection}" out of [records.{kind}] mirrors'
        yield _Finding(
            "RUN009", call.place, f"{says}, which is a mirror; right about it is {right}", f"{there}, or {out}"
        )
    elif system not in {"", connection}:
        name = f'say  [records.{kind}]  system_of_record = "{connection}"'
        allow = "allow it with  # mainstay: allow RUN010"
        yield _Finding("RUN010", call.place, f"{says}, and right about it is {right}", f"{there}, {name}, or {allow}")


def _of_sync(declared: Workflow, analysis: Analysis, surroundings: Surroundings) -> Iterator[_Finding]:
    here = Place(declared.file, declared.line)
    drop = 'drop mode="sync"'
    for place, why in analysis.unclear.items():
        message = f'"{declared.name}" is sync, and its steps cannot be counted: {why}'
        yield _Finding("RUN001", place, message, f"use ctx in functions of this folder alone, or {drop}")
    for place, what in analysis.unbounded.items():
        message = f'"{declared.name}" is sync, and {what} here takes any number of steps; {SYNC_STEPS} are the most'
        yield _Finding("RUN001", place, message, drop)
    if analysis.is_known and analysis.steps > SYNC_STEPS:
        lines = _lines(analysis.calls.values(), declared.file)
        may = f"may take {analysis.steps:.0f} steps ({lines})"
        message = f'"{declared.name}" is sync and {may}; {SYNC_STEPS} are the most'
        yield _Finding("RUN001", here, message, f"{drop}, or leave to an async workflow what the answer can do without")
    for call in analysis.calls.values():
        connection = surroundings.connections.get(call.role)
        if connection is not None and call.role not in surroundings.builtin:
            message = f'"{declared.name}" is sync and calls {call.name}, an external system ({connection})'
            yield _Finding("RUN002", call.place, message, f"{drop}, or call it in an async workflow")
        elif not call.role and call.operation in WAITS:
            message = f'"{declared.name}" is sync and waits here (ctx.{call.operation}): its caller hears 202'
            yield _Finding("RUN007", call.place, message, f"{drop}, or wait in an async workflow")
    for (place, _), impurity in analysis.impure.items():
        if impurity.is_network:
            message = f'"{declared.name}" is sync and reaches the network ({impurity.name})'
            yield _Finding("RUN002", place, message, f"{drop}, or call it in an async workflow")


def _lines(calls: Iterable[Call], own: str) -> str:
    told = [
        f"{call.name} at {'line ' if call.place.file == own else f'{Path(call.place.file).name}:'}{call.place.line}"
        for call in sorted(calls, key=lambda call: (call.place.file != own, call.place.file, call.place.line))
    ]
    return ", ".join(told[:6]) + (" ..." if len(told) > 6 else "")


def _of_file(module: Module, surroundings: Surroundings) -> Iterator[_Finding]:
    """Find what names a vendor where the stack's roles would do."""
    said = _documentation(module.tree)
    for node in ast.walk(module.tree):
        found: tuple[str, Vendor] | None = None
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _of_import(module, node, surroundings)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            found = vendor_in(node.value)
        if found is not None and found[1].role in surroundings.known:
            yield _vendor(module, node, f"{found[0]} is {found[1].title}'s API", found[1].role)


def _of_import(module: Module, node: ast.Import | ast.ImportFrom, surroundings: Surroundings) -> Iterator[_Finding]:
    if isinstance(node, ast.ImportFrom):
        packages = [node.module or ""] if not node.level else []
    else:
        packages = [alias.name for alias in node.names]
    for package in packages:
        vendor = vendor_of_package(package)
        if f"{package}.".startswith(f"{CONNECTORS}."):
            yield _vendor(module, node, f"{package} is a vendor's connector", "")
        elif vendor is not None and vendor.role in surroundings.known:
            yield _vendor(module, node, f"{package} is {vendor.title}'s own", vendor.role)


def _vendor(module: Module, node: ast.AST, says: str, role: str) -> _Finding:
    line: int = getattr(node, "lineno", 0)
    allowed = frozenset({"RUN005"} if module.allows("RUN005", node) else ())
    role = role or "crm, ctx.email, ctx.tasks or another role"
    instead = f"call ctx.{role}, which stack.toml binds to a vendor"
    return _Finding("RUN005", Place(str(module.path), line, allowed=allowed), f"{says}: a role would do", instead)


def _documentation(tree: ast.AST) -> set[ast.AST]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def relative(problem: Problem, folder: Path) -> Problem:
    """Return a problem with its file as seen from a stack's folder."""
    return replace(problem, where=problem.where.removeprefix(f"{folder.resolve()}/"))
