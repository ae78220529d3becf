"""Notion: pages of a database as tasks, and what becomes of them; a database as a table."""

from mainstay.connectors.notion.account import check, http_settings, oauth
from mainstay.connectors.notion.settings import NotionConnection, NotionSource
from mainstay.connectors.notion.table import make_table
from mainstay.connectors.notion.tasks import make_tasks
from mainstay.connectors.notion.webhook import delivery_key, fetch, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="notion",
    title="Notion",
    settings=NotionConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"tasks": make_tasks, "table": make_table},
    # Notion takes no idempotency key. A lost page is found by a property of ours, else by its title, day and age.
    idempotency={
        "tasks.create_task": "lookup",
        "tasks.complete_task": "state",
        "tasks.add_comment": "lookup",
        "tasks.pull_records": "state",
        "table.upsert_rows": "state",
        "table.remove_rows": "state",
        "table.read_rows": "state",
    },
    lookup_after=15.0,
    # What Notion named longest, "three a second on average"; newer pages name a budget by plan, and no figure.
    rates=lambda _settings: (Rate(180, 60),),
    pulls={"task": Pullable("tasks", {"done": "task.completed"}, when=lambda settings: bool(settings.database))},
    sources=(
        SourceKind(
            name="notion",
            title="Notion",
            settings=NotionSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            fetch=fetch,
        ),
    ),
)

__all__ = ["CONNECTOR"]
