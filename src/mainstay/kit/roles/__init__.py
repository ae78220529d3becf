"""What workflows ask for: one Protocol per role. A connector's class for a role has these methods and no others.

Every method is one durable step: it runs within one attempt, may make several HTTP calls, raises a VendorError
subclass when it fails, and returns a small frozen value. It must bear being called again with the same arguments.
"""

from mainstay.kit.roles.contacts import CRM, BatchingCRM, DeletingCRM, MergingCRM, Pulled, PullingCRM, RecordStore
from mainstay.kit.roles.layer import Failures, Layer, LayerFailure, PullingLayer, RetryingLayer
from mainstay.kit.roles.messages import (
    MAX_SMS_CHARS,
    SMS,
    Button,
    Chat,
    Email,
    EmailMessage,
    require_textable,
    sender_domain,
)
from mainstay.kit.roles.money import (
    Accounting,
    Billing,
    Invoice,
    InvoiceLine,
    InvoiceState,
    InvoiceStatus,
    Payment,
)
from mainstay.kit.roles.outcomes import Made, Pushed, Sent
from mainstay.kit.roles.pager import Page, Pager
from mainstay.kit.roles.records import PulledRecord, PulledRecords, PullingRecords
from mainstay.kit.roles.table import Row, Rows, Table, Value, Written, cell_text, clean, rows_by_key
from mainstay.kit.roles.tasks import Task, Tasks, TaskState
from mainstay.kit.roles.voice import Call, CallOutcome, CallState, CallStatus, Voice, require_callable

__all__ = [
    "CRM",
    "MAX_SMS_CHARS",
    "SMS",
    "Accounting",
    "BatchingCRM",
    "Billing",
    "Button",
    "Call",
    "CallOutcome",
    "CallState",
    "CallStatus",
    "Chat",
    "DeletingCRM",
    "Email",
    "EmailMessage",
    "Failures",
    "Invoice",
    "InvoiceLine",
    "InvoiceState",
    "InvoiceStatus",
    "Layer",
    "LayerFailure",
    "Made",
    "MergingCRM",
    "Page",
    "Pager",
    "Payment",
    "Pulled",
    "PulledRecord",
    "PulledRecords",
    "PullingCRM",
    "PullingLayer",
    "PullingRecords",
    "Pushed",
    "RecordStore",
    "RetryingLayer",
    "Row",
    "Rows",
    "Sent",
    "Table",
    "Task",
    "TaskState",
    "Tasks",
    "Value",
    "Voice",
    "Written",
    "cell_text",
    "clean",
    "require_callable",
    "require_textable",
    "rows_by_key",
    "sender_domain",
]
