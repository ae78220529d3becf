"""What Mainstay's own workflows are called on the screens."""

_TITLES = {
    "inbound.v1": "Read a delivery",
    "push.v1": "Bring a contact to its system",
    "merge-elsewhere.v1": "Merge two contacts in their system",
    "delete-elsewhere.v1": "Delete a contact in another system",
    "tell-anew.v1": "Tell contacts anew, of other owners",
    "forward.v1": "Send a value to the system that owns it",
    "alert.v1": "Send an alert",
    "question.v1": "Pass on a question",
    "weekly-review.v1": "Send the weekly review",
    "mirror.v1": "Write a mirror",
    "reconcile.v1": "Pull what changed in the system of record",
    "reconcile-records.v1": "Pull what changed of records",
    "pull-failures.v1": "Ask what failed elsewhere",
    "compare-mirror.v1": "Compare a mirror",
}


def workflow_title(name: str) -> str:
    """Return what a workflow of Mainstay's own does; a user's workflow keeps its name."""
    return _TITLES.get(name, name)
