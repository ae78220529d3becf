"""Pulls: what changed in the system of record itself comes in, also where its webhook was missed."""

from mainstay.pulls.pulling import RECONCILE, Puller
from mainstay.pulls.rules import Pull

__all__ = ["RECONCILE", "Pull", "Puller"]
