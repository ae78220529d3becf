"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.adding import NewRun, Turn, add_runs
from mainstay.runs.answers import answer
from mainstay.runs.cancelling import cancel
from mainstay.runs.held import give_up_held, let_through
from mainstay.runs.store import Claimed, Progress, Settlement, claim_execution, hold, requeue, settle
from mainstay.runs.turns import begin_missed, look_again, move_turns, return_turns, wake_overdue
from mainstay.runs.waits import Wait, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "Claimed",
    "NewRun",
    "Progress",
    "Settlement",
    "Turn",
    "Wait",
    "add_runs",
    "answer",
    "begin_missed",
    "cancel",
    "claim_execution",
    "give_up_held",
    "hold",
    "let_through",
    "look_again",
    "move_turns",
    "move_waits",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "return_turns",
    "return_waits",
    "settle",
    "wake",
    "wake_overdue",
]
