"""Durable execution: ``@workflow``, the Context it runs over, and what drives its runs."""

from mainstay.engine.awaiting import Approval
from mainstay.engine.context import Context
from mainstay.engine.definition import Workflow, workflow
from mainstay.engine.driver import Driver, Program, Stint
from mainstay.engine.schedule import Schedule, Tick
from mainstay.engine.steps import StepRunner

__all__ = [
    "Approval",
    "Context",
    "Driver",
    "Program",
    "Schedule",
    "StepRunner",
    "Stint",
    "Tick",
    "Workflow",
    "workflow",
]
