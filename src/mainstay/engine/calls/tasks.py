"""``ctx.tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mainstay.engine.calls.role_call import RoleCall, made, sent
from mainstay.kit.roles import Made, Sent, Task, TaskState


@dataclass(frozen=True, slots=True)
class TaskCalls:
    """``ctx.tasks``."""

    _call: RoleCall

    async def create(
        self,
        title: str,
        *,
        notes: str = "",
        due: date | None = None,
        assignee: str = "",
        labels: Sequence[str] = (),
        project: str = "",
    ) -> Made:
        """Create a task; ``assignee`` is an e-mail address, ``project`` a project, team or database there."""
        task = Task(title, notes, due, assignee, tuple(labels), project)
        return made(await self._call("tasks", "create_task", task))

    async def complete(self, task_id: str) -> None:
        """Mark a task as done."""
        await self._call("tasks", "complete_task", task_id)

    async def comment(self, task_id: str, text: str) -> Sent:
        """Comment on a task."""
        return sent(await self._call("tasks", "add_comment", task_id, text))

    async def fetch(self, task_id: str) -> TaskState | None:
        """Read a task as it stands there; None when there is none (any more)."""
        found = await self._call("tasks", "fetch_task", task_id)
        return TaskState(**found) if found else None
