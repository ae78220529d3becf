"""For tests of stacks and workflows: ``pytest_plugins = ["mainstay.testing.plugin"]`` brings the fixtures.

``stack`` runs a whole stack on a fresh real database and simulated vendors, under a clock that the test moves.
"""

from mainstay.testing.alerts import CapturedAlert
from mainstay.testing.stack import Lead, StackUnderTest

__all__ = ["CapturedAlert", "Lead", "StackUnderTest"]
