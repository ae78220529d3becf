"""Asana: tasks, and what becomes of them."""

from mainstay.connectors.asana.account import check, http_settings, oauth
from mainstay.connectors.asana.settings import AsanaConnection, AsanaSource
from mainstay.connectors.asana.tasks import make_tasks
from mainstay.connectors.asana.webhook import challenge, delivery_key, fetch, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="asana",
    title="Asana",
    settings=AsanaConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"tasks": make_tasks},
    # Asana takes no idempotency key. A lost task is found by our own id of it (with OAuth), else by its words and age.
    idempotency={
        "tasks.create_task": "lookup",
        "tasks.complete_task": "state",
        "tasks.add_comment": "lookup",
        "tasks.pull_records": "state",
    },
    lookup_after=15.0,
    # Of a free workspace; a paid one has ten times as many.
    rates=lambda _settings: (Rate(150, 60),),
    max_concurrent=15,
    pulls={"task": Pullable("tasks", {"done": "task.completed"}, when=lambda settings: bool(settings.project))},
    sources=(
        SourceKind(
            name="asana",
            title="Asana",
            settings=AsanaSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            challenge=challenge,
            fetch=fetch,
            secret_headers=("x-hook-secret",),
        ),
    ),
)

__all__ = ["CONNECTOR"]
