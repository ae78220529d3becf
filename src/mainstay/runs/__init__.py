"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.answering import (
    GRACE,
    Answer,
    answer_of_run,
    answers_of_delivery,
    enqueue_behind,
    hasten,
    is_same_body,
)
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
    "GRACE",
    "Answer",
    "Claimed",
    "NewRun",
    "Progress",
    "Settlement",
    "Wait",
    "add_runs",
    "answer_of_run",
    "answers_of_delivery",
    "claim_execution",
    "enqueue_behind",
    "hasten",
    "hold",
    "is_same_body",
    "move_waits",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "return_waits",
    "settle",
    "wake",
]
