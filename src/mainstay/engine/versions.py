"""Versions of a workflow: what begins new runs, and what only drains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow


def version_of(name: str) -> tuple[str, int]:
    """Return the parts of a workflow's name: ``speed_to_lead.v2`` is ("speed_to_lead", 2)."""
    base, _, version = name.rpartition(".v")
    return (base, int(version)) if version.isdecimal() else (name, 0)


def draining(declared: Iterable[Workflow]) -> frozenset[str]:
    """Return the names of those whose runs go on, but which begin none by themselves: a later version begins them.

    That is so where the later version is begun by the same event, or both are begun by the clock.
    """
    newest: dict[tuple[str, str], int] = {}
    every = list(declared)
    for each in every:
        base, version = version_of(each.name)
        for cause in _causes(each):
            newest[base, cause] = max(version, newest.get((base, cause), 0))
    return frozenset(
        each.name
        for each in every
        if (causes := _causes(each))
        and all(newest[version_of(each.name)[0], cause] > version_of(each.name)[1] for cause in causes)
    )


def beginning(declared: Iterable[Workflow]) -> list[Workflow]:
    """Return those that do not drain, in their order."""
    every = list(declared)
    drained = draining(every)
    return [each for each in every if each.name not in drained]


def _causes(each: Workflow) -> list[str]:
    return [cause for cause in (each.on, "the clock" if each.schedule is not None else "") if cause]
