"""``ctx.crm``, ``ctx.email`` and the other roles, as a workflow calls them."""

from mainstay.engine.calls.contacts import CRMCalls
from mainstay.engine.calls.layer import LayerCalls
from mainstay.engine.calls.messages import ChatCalls, EmailCalls, SMSCalls
from mainstay.engine.calls.money import AccountingCalls, BillingCalls
from mainstay.engine.calls.records import RecordCalls
from mainstay.engine.calls.role_call import RoleCall
from mainstay.engine.calls.table import TableCalls
from mainstay.engine.calls.tasks import TaskCalls
from mainstay.engine.calls.voice import VoiceCalls

__all__ = [
    "AccountingCalls",
    "BillingCalls",
    "CRMCalls",
    "ChatCalls",
    "EmailCalls",
    "LayerCalls",
    "RecordCalls",
    "RoleCall",
    "SMSCalls",
    "TableCalls",
    "TaskCalls",
    "VoiceCalls",
]
