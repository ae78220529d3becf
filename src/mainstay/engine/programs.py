"""What runs each workflow name: Mainstay's own programs, then the users' workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from mainstay.engine.context import Context
from mainstay.engine.result import result_of
from mainstay.engine.subject import accepted_of, subject_of
from mainstay.errors import WorkflowError
from mainstay.model import RunState
from mainstay.runs import Settlement

if TYPE_CHECKING:
    from mainstay.engine.context import Surroundings
    from mainstay.engine.steps import StepRunner


DEPLOY_TAKES = timedelta(minutes=5)
"""While a deploy goes from worker to worker, those of before meet runs of workflows that they do not have."""
_LOOKS_AGAIN = timedelta(seconds=5)


def leave_to_others(steps: StepRunner, what: str) -> NoReturn:
    """Leave a run to a worker that has what this one's stack has not; it is looked at again by itself."""
    wake_at = steps.clock() + _LOOKS_AGAIN
    steps.park_run(Settlement(RunState.WAITING, wake_at=wake_at, waiting_for=f"a worker with {what}"))


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
            if run.created_at is not None and steps.clock() - run.created_at < DEPLOY_TAKES:
                leave_to_others(steps, run.workflow)
            message = f'no workflow "{run.workflow}" is loaded; restore its file, restart, then retry this run'
            raise WorkflowError(message)
        subject, given = subject_of(run.input)
        context = Context(steps, self._surroundings, retry=(declared.retry,) if declared.retry else ())
        accepted = accepted_of(declared.function)
        taken = {name: value for name, value in given.items() if accepted is None or name in accepted}
        returned = await declared.function(context, subject, **taken)
        steps.require_all()
        steps.result = result_of(run.workflow, returned)
