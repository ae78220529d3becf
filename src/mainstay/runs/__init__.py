"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.adding import NewRun, Turn, add_runs
from mainstay.runs.answers import answer
from mainstay.runs.bulk import Brake, begin_bulk, resume_bulk, send_some, stop_bulk
from mainstay.runs.cancelling import cancel
from mainstay.runs.choosing import Chosen
from mainstay.runs.retrying import Again, requeue
from mainstay.runs.store import Claimed, Progress, Settlement, claim_execution, hold, settle
from mainstay.runs.turns import begin_missed, look_again, move_turns, return_turns, wake_overdue
from mainstay.runs.waits import Wait, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "Again",
    "Brake",
    "Chosen",
    "Claimed",
    "NewRun",
    "Progress",
    "Settlement",
    "Turn",
    "Wait",
    "add_runs",
    "answer",
    "begin_bulk",
    "begin_missed",
    "cancel",
    "claim_execution",
    "hold",
    "look_again",
    "move_turns",
    "move_waits",
    "recheck_wait",
    "recheck_waits",
    "requeue",
    "resume_bulk",
    "return_turns",
    "return_waits",
    "send_some",
    "settle",
    "stop_bulk",
    "wake",
    "wake_overdue",
]
