"""Pulls: what changed in the system of record comes in, also where its webhook was missed; what failed in layers."""

from mainstay.pulls.failures import PULL_FAILURES, FailurePull, FailurePuller
from mainstay.pulls.pulling import RECONCILE, Puller
from mainstay.pulls.rules import Pull

__all__ = ["PULL_FAILURES", "RECONCILE", "FailurePull", "FailurePuller", "Pull", "Puller"]
