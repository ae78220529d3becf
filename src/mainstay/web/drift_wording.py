"""Words and looks of mirrors, of what drifted in them, and of swaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.web.wording import Look

if TYPE_CHECKING:
    from mainstay.insight.mirrors import MirrorRow

_DRIFT_LOOKS = {
    "open": Look("waiting", "waiting", "Open"),
    "reverted": Look("fine", "fine", "Reverted"),
    "taken over": Look("fine", "merge", "Taken over"),
    "left": Look("quiet", "quiet", "Left"),
    "gone": Look("quiet", "quiet", "Came right"),
    "undone": Look("quiet", "quiet", "Taken back"),
}
_SWAP_LOOKS = {
    "restart": Look("waiting", "waiting", "Waits for a restart"),
    "backfill": Look("healing", "healing", "Being filled"),
    "compare": Look("healing", "healing", "To be compared"),
    "ready": Look("waiting", "waiting", "May take over"),
    "over": Look("fine", "fine", "Has taken over"),
    "back": Look("quiet", "quiet", "Taken back"),
}
_DRIFT_WORDS = {
    "changed": "somebody changed it",
    "missing": "its row is gone",
    "unknown": "a row whose id is no record's",
    "double": "there are two rows of it",
    "refused": "it is not taken there",
}


def drift_look(state: str) -> Look:
    """Return how it is shown what became of a difference."""
    return _DRIFT_LOOKS[state]


def swap_look(phase: str) -> Look:
    """Return how the phase of a swap is shown."""
    return _SWAP_LOOKS[phase]


def drift_words(kind: str) -> str:
    """Say where a mirror is not what was written."""
    return _DRIFT_WORDS[kind]


def mirror_look(mirror: MirrorRow) -> Look:
    """Return how a mirror's state is shown."""
    if mirror.run_state == "failed":
        return Look("broken", "broken", "Stopped")
    if mirror.loaded_at is None:
        return Look("healing", "healing", "Being filled")
    if mirror.run_id is not None or mirror.behind:
        return Look("healing", "waiting", "Being written")
    if mirror.drifts:
        return Look("waiting", "waiting", "Changed there")
    return Look("fine", "fine", "Alike")
