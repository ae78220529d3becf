"""The weekly review as a letter: made once a week for each workspace, and sent to its e-mail routes."""

from mainstay.weekly.letter import Letter, letter_of
from mainstay.weekly.sending import WEEKLY_REVIEW, WeeklyReviews

__all__ = ["WEEKLY_REVIEW", "Letter", "WeeklyReviews", "letter_of"]
