"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.held import let_through, wake_overdue
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
from mainstay.runs.waits import Wait, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "Claimed",
    "NewRun",
    "Progress",
    "Settlement",
    "Wait",
    "add_runs",
    "claim_execution",
    "hold",
    "let_through",
    "move_waits",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "return_waits",
    "settle",
    "wake",
    "wake_overdue",
]
