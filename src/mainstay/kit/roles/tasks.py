"""The role of a project tool: work that a person is to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Made, Sent


@dataclass(frozen=True, slots=True)
class Task:
    """A task as a workflow orders it.

    ``notes`` is plain text. ``assignee`` is an e-mail address of somebody there. ``project`` is what the tool files
    tasks in (a project, a team, a database); empty for the connection's own.
    """

    title: str
    notes: str = ""
    due: date | None = None
    assignee: str = ""
    labels: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as it stands there; ``due`` is ``YYYY-MM-DD`` or empty."""

    id: str
    title: str
    is_done: bool
    due: str = ""
    assignee: str = ""
    url: str = ""


class Tasks(Protocol):
    """A project tool."""

    async def create_task(self, task: Task) -> Made:
        """Create one task. An assignee whom the tool does not know is a PermanentError that names the address."""
        ...

    async def complete_task(self, task_id: str) -> None:
        """Mark a task as done; done already, nothing happens."""
        ...

    async def add_comment(self, task_id: str, text: str) -> Sent:
        """Comment on a task in plain text."""
        ...

    async def fetch_task(self, task_id: str) -> TaskState | None:
        """Read a task; None when there is none (any more)."""
        ...
