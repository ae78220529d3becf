"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.adding import NewRun, Turn, add_runs
from mainstay.runs.answers import answer
from mainstay.runs.approvals import Ask, Decision, close_ask, decide
from mainstay.runs.cancelling import cancel
from mainstay.runs.children import FanOut, NewChild, children_ended, recheck_children
from mainstay.runs.held import give_up_held, let_through
from mainstay.runs.results import (
    GRACE,
    RunResult,
    enqueue_behind,
    hasten,
    is_same_body,
    result_of_run,
    results_of_delivery,
)
from mainstay.runs.store import Claimed, Progress, Settlement, claim_execution, hold, requeue, settle
from mainstay.runs.turns import begin_missed, look_again, move_turns, return_turns, wake_overdue
from mainstay.runs.waits import Wait, event_as_seen, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "GRACE",
    "Ask",
    "Claimed",
    "Decision",
    "FanOut",
    "NewChild",
    "NewRun",
    "Progress",
    "RunResult",
    "Settlement",
    "Turn",
    "Wait",
    "add_runs",
    "answer",
    "begin_missed",
    "cancel",
    "children_ended",
    "claim_execution",
    "close_ask",
    "decide",
    "enqueue_behind",
    "event_as_seen",
    "give_up_held",
    "hasten",
    "hold",
    "is_same_body",
    "let_through",
    "look_again",
    "move_turns",
    "move_waits",
    "recheck_children",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "result_of_run",
    "results_of_delivery",
    "return_turns",
    "return_waits",
    "settle",
    "wake",
    "wake_overdue",
]
