"""Settings: the environment, ``stack.toml`` and the user's workflows, checked before anything starts."""

from mainstay.settings.environment import Environment
from mainstay.settings.program import ProgramSettings
from mainstay.settings.stack import ConnectionEntry, SourceEntry, Stack, load_stack
from mainstay.settings.workflows import load_workflows

__all__ = [
    "ConnectionEntry",
    "Environment",
    "ProgramSettings",
    "SourceEntry",
    "Stack",
    "load_stack",
    "load_workflows",
]
