"""The rules of workflows, held against what a stack's roles are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mainstay.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow
    from mainstay.engine.policy import Analysis
    from mainstay.settings.stack import Stack

log = logging.getLogger(__name__)


def check_policy(stack: Stack, workflows: Sequence[Workflow]) -> tuple[list[Problem], Mapping[str, Analysis]]:
    """Return what is wrong with a stack's workflows, errors and warnings, and each one's analysis by its name."""
    # The engine brings the database driver with it, the connectors the HTTP client.
    from mainstay.connectors import all_connectors  # noqa: PLC0415
    from mainstay.engine.policy import Surroundings, judge  # noqa: PLC0415
    from mainstay.engine.policy.judge import relative  # noqa: PLC0415

    builtin = {name for name, entry in stack.connections.items() if entry.connector.is_builtin}
    surroundings = Surroundings(
        stack.roles,
        frozenset(role for role, connection in stack.roles.items() if connection in builtin),
        frozenset(role for connector in all_connectors().values() for role in connector.roles),
        {kind: ownership.system_of_record for kind, ownership in stack.records.items()},
        {kind: ownership.mirrors for kind, ownership in stack.records.items()},
        {(mirror.connection, mirror.table): name for name, mirror in stack.mirrors.items()},
    )
    problems, analyses = judge(workflows, surroundings)
    return [relative(problem, stack.folder) for problem in problems], analyses


def require_policy(stack: Stack, workflows: Sequence[Workflow]) -> list[Problem]:
    """Return the warnings about a stack's workflows.

    Raises:
        ConfigError: what refuses the start, all at once.
    """
    from mainstay.engine.policy import is_error  # noqa: PLC0415

    problems, _ = check_policy(stack, workflows)
    refusals = [problem for problem in problems if is_error(problem)]
    if refusals:
        raise ConfigError(*refusals)
    return problems


def log_warnings(warnings: Sequence[Problem]) -> None:
    """Say in the log what a start is warned of."""
    for each in warnings:
        log.warning("%s  %s  %s. Mend: %s", each.where, each.code, each.message, each.hint)
