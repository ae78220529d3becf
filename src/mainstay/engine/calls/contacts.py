"""``ctx.crm``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class CRMCalls:
    """``ctx.crm``."""

    _call_about: Callable[..., Awaitable[None]]

    async def add_tag(self, contact: Contact, tag: str) -> None:
        """Tag the contact in the CRM, keeping its other tags."""
        await self._call_about(contact, "add_tag", tag)

    async def add_note(self, contact: Contact, text: str) -> None:
        """Add a note to the contact's timeline in the CRM."""
        await self._call_about(contact, "add_note", text)
