"""What runs each workflow name: Mainstay's own programs, then the users' workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mainstay.engine.context import Context
from mainstay.engine.result import result_of
from mainstay.engine.subject import accepted_of, subject_of
from mainstay.errors import WorkflowError

if TYPE_CHECKING:
    from mainstay.engine.context import Surroundings
    from mainstay.engine.steps import StepRunner


class Programs(Mapping[str, Any]):
    """The program of every name: one of ``own``, else that of the user's workflow of this name."""

    def __init__(self, own: Mapping[str, Any], surroundings: Surroundings) -> None:
        self._own = own
        self._surroundings = surroundings

    def __getitem__(self, name: str) -> Any:
        """Return a workflow's program."""
        return self._own.get(name, self._user_workflow)

    def __iter__(self) -> Iterator[str]:
        """Give the names of Mainstay's own."""
        return iter(self._own)

    def __len__(self) -> int:
        """Count Mainstay's own."""
        return len(self._own)

    async def _user_workflow(self, steps: StepRunner) -> None:
        run = steps.run
        declared = self._surroundings.workflows(run.workspace_id).get(run.workflow)
        if declared is None:
            message = f'no workflow "{run.workflow}" is loaded; restore its file, restart, then retry this run'
            raise WorkflowError(message)
        subject, given = subject_of(run.input)
        context = Context(steps, self._surroundings, retry=(declared.retry,) if declared.retry else ())
        accepted = accepted_of(declared.function)
        taken = {name: value for name, value in given.items() if accepted is None or name in accepted}
        returned = await declared.function(context, subject, **taken)
        steps.require_all()
        steps.result = result_of(run.workflow, returned)
