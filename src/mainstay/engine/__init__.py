"""Durable execution: ``@workflow``, the Context it runs over, and what drives its runs."""

from mainstay.engine.context import Context
from mainstay.engine.definition import Workflow, workflow
from mainstay.engine.driver import Driver, Program, Stint
from mainstay.engine.steps import StepRunner

__all__ = ["Context", "Driver", "Program", "StepRunner", "Stint", "Workflow", "workflow"]
