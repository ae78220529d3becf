"""How a role's operation is called from a workflow, and how its outcome is read back from the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mainstay.kit.roles import Made, Sent

if TYPE_CHECKING:
    from mainstay.model import Contact


class RoleCall(Protocol):
    """Call a role's operation with these arguments, as a step; ``contact`` is whom it was given, where it was."""

    def __call__(
        self, role: str, operation: str, *arguments: Any, contact: Contact | None = None
    ) -> Awaitable[Any]: ...


def sent(result: Mapping[str, Any] | None) -> Sent:
    """Read a message's outcome; a person's word that it happened brings no id."""
    return Sent(**result) if result else Sent()


def made(result: Mapping[str, Any] | None) -> Made:
    """Read a creation's outcome; a person's word that it happened brings no id."""
    return Made(**result) if result else Made("")
