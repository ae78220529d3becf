"""Words of what was said of a contact: by whom, and how it was recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.insight import ContactChange, Saying


def said_by(saying: Saying) -> str:
    """Return whose word a value is: "from website", "set by hand by Dana" and the like."""
    by = "" if saying.source in {"", "by hand"} else f" by {saying.source}"
    if saying.kind == "manual":
        return f"set by hand{by}"
    if saying.kind == "merge":
        return f"kept when merging{by}"
    if saying.file:
        return f"from {saying.file}, line {saying.line}"
    return f"from {saying.source}" if saying.source else "from an unnamed source"


def change_title(change: ContactChange) -> str:
    """Return what a change was, in a word or two."""
    match change.rule:
        case "undo":
            return "Taken back"
        case "owners":
            return "Told anew"
    return "Became a contact" if change.rule == "new" else "Changed" if change.after else "Seen again"


def recognised(change: ContactChange) -> str:
    """Return who said a change, and by what the contact was recognised."""
    if change.rule in {"undo", "owners"}:
        return f"by {change.source}"
    by = _RECOGNISED.get(change.rule, f"recognised by {change.rule}")
    return ", ".join(part for part in (f"from {change.source}" if change.source else "", by) if part)


_RECOGNISED = {
    "new": "",
    # Whoever wrote it knew the contact by our own id.
    "id": "",
    "email": "recognised by e-mail",
    "external id": "recognised by its id there",
    "shared phone": "recognised by phone and name",
}
