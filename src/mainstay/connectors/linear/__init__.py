"""Linear: issues as tasks, and what becomes of them."""

from mainstay.connectors.linear.account import check, http_settings, oauth
from mainstay.connectors.linear.settings import LinearConnection, LinearSource
from mainstay.connectors.linear.tasks import make_tasks
from mainstay.connectors.linear.webhook import delivery_key, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="linear",
    title="Linear",
    settings=LinearConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"tasks": make_tasks},
    # Issues, comments and labels take an id of ours, made of the step's key: a repeat finds its own.
    idempotency={
        "tasks.create_task": "key",
        "tasks.complete_task": "state",
        "tasks.add_comment": "key",
        "tasks.pull_records": "state",
    },
    # Of the figures that Linear and others name (1,500 to 5,000 an hour) the smallest.
    rates=lambda _settings: (Rate(1500, 3600),),
    pulls={"task": Pullable("tasks", {"done": "task.completed"})},
    sources=(
        SourceKind(
            name="linear",
            title="Linear",
            settings=LinearSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)

__all__ = ["CONNECTOR"]
