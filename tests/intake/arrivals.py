"""Arrivals made for a test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from mainstay.connectors import all_source_kinds
from mainstay.intake import SourceBinding
from mainstay.intake.store import Arrival
from mainstay.model import new_id
from tests.sources import request


def arrival(workspace: UUID, *, name: str = "website", **more: Any) -> Arrival:
    """Make an authentic delivery to a form, read without events."""
    kind = all_source_kinds()["form"]
    source = SourceBinding(workspace, name, kind, kind.settings.model_validate({"kind": "form"}), "US")
    defaults: dict[str, Any] = {"verified": "unsigned", "input": {"source": name, "events": []}}
    return Arrival(new_id(), source, request({"email": "sarah@example.com"}), **{**defaults, **more})
