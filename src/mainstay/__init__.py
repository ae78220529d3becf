"""Mainstay: the automation stack of a service business, as code.

::

    from mainstay import Contact, Context, workflow


    @workflow("speed_to_lead.v1", on="contact.created")
    async def speed_to_lead(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", f"New lead: {contact.name}")

These names are promised; everything else may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstay.engine import Approval, Context, Schedule, Tick, workflow
    from mainstay.errors import (
        ChildFailedError,
        ConfigError,
        MainstayError,
        NeedsHumanError,
        PermanentError,
        TransientError,
        UnsureError,
        VendorError,
        WorkflowError,
    )
    from mainstay.kit import Invoice, InvoiceLine, Made, Payment, Sent
    from mainstay.model import Contact, Record, Retry

__all__ = [
    "Approval",
    "ChildFailedError",
    "ConfigError",
    "Contact",
    "Context",
    "Invoice",
    "InvoiceLine",
    "Made",
    "MainstayError",
    "NeedsHumanError",
    "Payment",
    "PermanentError",
    "Record",
    "Retry",
    "Schedule",
    "Sent",
    "Tick",
    "TransientError",
    "UnsureError",
    "VendorError",
    "WorkflowError",
    "workflow",
]

_HOME = {
    "Approval": "mainstay.engine",
    "Contact": "mainstay.model",
    "Context": "mainstay.engine",
    "Invoice": "mainstay.kit",
    "InvoiceLine": "mainstay.kit",
    "Made": "mainstay.kit",
    "Payment": "mainstay.kit",
    "Record": "mainstay.model",
    "Retry": "mainstay.model",
    "Schedule": "mainstay.engine",
    "Sent": "mainstay.kit",
    "Tick": "mainstay.engine",
    "workflow": "mainstay.engine",
}


def __getattr__(name: str) -> Any:
    # Looked up when first asked for, so that a command does not pay for what it never uses.
    if name not in __all__:
        message = f"module 'mainstay' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME.get(name, "mainstay.errors")), name)
