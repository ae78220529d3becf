"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.approvals import Ask, Decision, close_ask, decide
from mainstay.runs.children import FanOut, NewChild, children_ended, recheck_children
from mainstay.runs.store import (
    Claimed,
    NewRun,
    Progress,
    Settlement,
    add_runs,
    claim_execution,
    hold,
    requeue,
    settle,
)
from mainstay.runs.waits import Wait, event_as_seen, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "Ask",
    "Claimed",
    "Decision",
    "FanOut",
    "NewChild",
    "NewRun",
    "Progress",
    "Settlement",
    "Wait",
    "add_runs",
    "children_ended",
    "claim_execution",
    "close_ask",
    "decide",
    "event_as_seen",
    "hold",
    "move_waits",
    "recheck_children",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "return_waits",
    "settle",
    "wake",
]
