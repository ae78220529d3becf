"""The rules of workflows by their codes: what each refuses or warns of, why, and the mend. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mainstay.errors import Problem

SYNC_STEPS = 3
"""How many steps a sync workflow may take at the most."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. An error refuses the start; a warning can be allowed on its line: ``# mainstay: allow CODE``."""

    code: str
    level: Literal["error", "warning"]
    title: str
    why: str
    mend: str

    @property
    def is_error(self) -> bool:
        """Tell whether it refuses the start."""
        return self.level == "error"


_ALL = (
    Rule(
        "RUN001",
        "error",
        f"A sync workflow takes at most {SYNC_STEPS} steps",
        "Its caller waits for the answer. Steps are counted on the longest way through branches, loops, try and the "
        "functions that get ctx; a loop counts as any number of steps, unless it goes over a literal. What cannot be "
        "counted (ctx in a list, a class, a function of another package) is refused as well.",
        'Drop mode="sync": the workflow then runs from the queue, however many steps it takes. Or split it: the few '
        "steps that the answer needs stay sync, the rest goes into an async workflow on the same event.",
    ),
    Rule(
        "RUN002",
        "error",
        "A sync workflow calls no external system",
        "A vendor that is slow or away would make its caller wait, and then give up, while the call is half done. An "
        "async workflow retries it for a day instead. Roles bound to Mainstay's own store are not external.",
        'Drop mode="sync", or do the call in an async workflow on the same event.',
    ),
    Rule(
        "RUN003",
        "error",
        "A workflow's name is declared once",
        "Runs that wait find their workflow by its name after a restart; of two, they could find the wrong one.",
        "Give one of them another name, or the next version.",
    ),
    Rule(
        "RUN004",
        "error",
        "A workflow's name ends in a version",
        "A run that has begun goes on with the workflow it began with, for days perhaps. An edit that changes the "
        "order of steps needs a name of its own, so that both can be there at once.",
        'For example @workflow("speed_to_lead.v1", ...); after a breaking edit, speed_to_lead.v2.',
    ),
    Rule(
        "RUN005",
        "warning",
        "A workflow asks for roles, not for vendors",
        "What names a vendor must be rewritten when the vendor changes, and its calls are neither kept, nor retried, "
        "nor within the vendor's limits.",
        "Call the role: ctx.crm, ctx.email, ctx.tasks, ctx.billing and so on; stack.toml says which vendor has it.",
    ),
    Rule(
        "RUN006",
        "warning",
        "Time, chance, network and files belong into steps",
        "A workflow's function runs again from its start when a run goes on. What it read from a clock, a die, a "
        "network or a file may then be something else, so that the run takes another way than the one it has taken.",
        'Do it once, and keep the result: value = await ctx.step("name", function). To wait, ctx.sleep.',
    ),
    Rule(
        "RUN007",
        "warning",
        "A sync workflow does not wait",
        "Its caller is answered within the deadline. A workflow that sleeps, or waits for an event, a person or a "
        "child, answers with 202 each time, and goes on from the queue.",
        'Drop mode="sync", or put what waits into an async workflow.',
    ),
    Rule(
        "RUN008",
        "warning",
        "A role that a workflow asks for has a connection",
        "The run would stop at this call.",
        "Add the role to [roles] in stack.toml, or a connection that offers it.",
    ),
    Rule(
        "RUN009",
        "error",
        "A mirror is not written",
        "A mirror is a copy, fed one way from the system that is right. What a workflow wrote there would be drift, "
        "and gone with the next comparison. Where the source does not show the call, the run is refused it.",
        "Call the role of the system of record, or take the connection out of [records.TYPE] mirrors.",
    ),
    Rule(
        "RUN010",
        "warning",
        "A record is written to the system that is right about it",
        "Each type of record has one system of record, named in stack.toml or taken by the roles. What another system "
        "is told fills only what the right one has not said, so that a workflow may see the record otherwise than it "
        "has written it.",
        "Call the role of the system of record, name this connection as [records.TYPE] system_of_record, or allow it "
        "where two systems are to have the record.",
    ),
)
RULES = {rule.code: rule for rule in _ALL}


def is_error(problem: Problem) -> bool:
    """Tell whether a problem refuses the start: all do but those of rules that only warn."""
    rule = RULES.get(problem.code)
    return rule is None or rule.is_error


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that refuse the start."""
    return [problem for problem in problems if is_error(problem)]
