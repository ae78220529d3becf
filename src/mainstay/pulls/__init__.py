"""Pulls: what changed in the system of record comes in, also where its webhook was missed; what failed in layers."""

from mainstay.pulls.every import Pulls
from mainstay.pulls.failures import PULL_FAILURES, FailurePull, FailurePuller
from mainstay.pulls.rules import Pull, RecordPull

__all__ = ["PULL_FAILURES", "FailurePull", "FailurePuller", "Pull", "Pulls", "RecordPull"]
