"""The ledger: what every run, step and attempt did. It is story and checkpoint in one."""

from mainstay.runs.adding import NewRun, Turn, add_runs, begin_run
from mainstay.runs.answers import answer
from mainstay.runs.approvals import Ask, Decision, close_ask, decide
from mainstay.runs.bulk import Brake, begin_bulk, resume_bulk, send_some, stop_bulk
from mainstay.runs.cancelling import cancel
from mainstay.runs.children import FanOut, NewChild, children_ended, recheck_children
from mainstay.runs.choosing import Chosen
from mainstay.runs.deaths import MOST_DEATHS, SUSPECTS, count_deaths
from mainstay.runs.held import give_up_held, let_one_through, let_through
from mainstay.runs.results import (
    GRACE,
    RunResult,
    enqueue_behind,
    hasten,
    is_same_body,
    result_of_run,
    results_of_delivery,
)
from mainstay.runs.retrying import Again, requeue
from mainstay.runs.store import Claimed, Progress, Settlement, claim_execution, hold, recorded_run, settle
from mainstay.runs.turns import begin_missed, look_again, move_turns, return_turns, wake_overdue
from mainstay.runs.waits import Wait, event_as_seen, move_waits, recheck_wait, recheck_waits, return_waits, wake

__all__ = [
    "GRACE",
    "MOST_DEATHS",
    "SUSPECTS",
    "Again",
    "Ask",
    "Brake",
    "Chosen",
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
    "begin_bulk",
    "begin_missed",
    "begin_run",
    "cancel",
    "children_ended",
    "claim_execution",
    "close_ask",
    "count_deaths",
    "decide",
    "enqueue_behind",
    "event_as_seen",
    "give_up_held",
    "hasten",
    "hold",
    "is_same_body",
    "let_one_through",
    "let_through",
    "look_again",
    "move_turns",
    "move_waits",
    "recheck_children",
    "recheck_wait",
    "recheck_waits",
    "recorded_run",
    "requeue",
    "result_of_run",
    "results_of_delivery",
    "resume_bulk",
    "return_turns",
    "return_waits",
    "send_some",
    "settle",
    "stop_bulk",
    "wake",
    "wake_overdue",
]
