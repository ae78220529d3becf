"""What a workflow may do, judged at load by its source alone: nothing of it is run. ``rules`` says what and why."""

from mainstay.engine.policy.analysis import Analysis, Call, analyse
from mainstay.engine.policy.judge import Surroundings, judge
from mainstay.engine.policy.rules import RULES, SYNC_STEPS, Rule, is_error

__all__ = ["RULES", "SYNC_STEPS", "Analysis", "Call", "Rule", "Surroundings", "analyse", "is_error", "judge"]
