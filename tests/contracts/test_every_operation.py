"""Every operation of every connector, once, against its vendor's simulator: each request and answer keeps the contract.

A connector's object is asked what it can do, so what is added and not exercised here fails.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from mainstay.connectors import all_connectors
from mainstay.kit import Call, EmailMessage, Http, Invoice, InvoiceLine, Payment, Task
from mainstay.kit.http import open_session
from mainstay.kit.roles import Button, Page
from mainstay.sandbox import Sandbox, SandboxProcess
from mainstay.sandbox.vendors.notion_account import SHARED_PAGE
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.accounting import SARAH
from tests.contracts.vendor_specs import specs_folder, validate_recorded

HOOK = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "asana": {"token": "sample-token", "workspace": "1200000000000001", "project": "leads"},
    "bland": {"api_key": "sample-token", "task": "Ask when they have time", "from": "+13125550100"},
    "gohighlevel": {"token": "sample-token", "location_id": "loc", "pull_by_date_updated": True},
    "google_sheets": {
        "spreadsheet_id": "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "access_token": "ya29.test",
        "create": "tables",
    },
    "hubspot": {"token": "sample-token"},
    "linear": {"api_key": "sample-token", "team": "OPS"},
    "make": {**HOOK, "url": "https://hook.eu1.make.com/sampleHookAddress"},
    "n8n": {**HOOK, "url": "https://n8n.acme.example/webhook/0f3a", "api_key": "k"},
    "notion": {"token": "sample-token", "database": "Tasks", "create": "tables", "page": SHARED_PAGE},
    "pagerduty": {"routing_key": "sample-key"},
    "postmark": {"token": "sample-token", "from": "hello@example.com"},
    "quickbooks": {"access_token": "sample-token", "realm_id": "9341455600000000", "item": "Services"},
    "resend": {"api_key": "re_sample", "from": "Acme <hello@acme.example>"},
    "retell": {"api_key": "sample-token", "from": "+13125550100", "agent": "agent_1"},
    "salesforce": {"access_token": "sample-token"},
    "sendgrid": {"api_key": "SG.sample", "from": "Acme <hello@acme.example>"},
    "slack": {"token": "xoxb-t"},
    "stripe": {"api_key": "sk_test_sample"},
    "twilio": {
        "account_sid": "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
        "auth_token": "sample-token",
        "from": "+13125550100",
    },
    "vapi": {"api_key": "sample-token", "phone_number_id": "8f2a6a5e-8a0b-4a53-9a6e-8f4b3c1d2e3f", "assistant": "a"},
    "webhook": {**HOOK, "url": "https://partner.acme.example/in/sampleHookAddress"},
    "xero": {"access_token": "sample-token", "tenant_id": TENANT, "account": "200", "payment_account": "090"},
    "zapier": {**HOOK, "url": "https://hooks.zapier.com/hooks/catch/123/sample"},
}
PREPARED: Mapping[str, Mapping[str, Any]] = {
    "hubspot": {"properties": ["mainstay_tags"]},
    "retell": {"numbers": ["+13125550100"]},
    "salesforce": {"fields": ["Mainstay_Tags__c", "Company__c"]},
    "vapi": {"numbers": ["8f2a6a5e-8a0b-4a53-9a6e-8f4b3c1d2e3f"]},
}
"""What an account must have before Mainstay comes, by each set-up page."""
BELOW = {"asana": "/api/1.0"}
NO_HTTP = {"builtin", "smtp", "sql_table", "table_file"}
"""Their own tests run on the store, a mail server, a database and files."""
INVOICE = Invoice("JOB-1", "USD", (InvoiceLine("Boiler service", Decimal("120.50")),), due=date(2026, 12, 24))


@dataclass
class Caller:
    """Calls the operations of a role's object, and notes which."""

    make: Callable[[], Any]
    called: set[str] = field(default_factory=set)

    async def __call__(self, operation: str, *arguments: Any) -> Any:
        self.called.add(operation)
        made: Awaitable[Any] = getattr(self.make(), operation)(*arguments)
        return await made

    def can(self, operation: str) -> bool:
        return hasattr(self.make(), operation)


async def crm(call: Caller, sandbox: Sandbox) -> None:
    first = (await call("push_contact", SARAH, "")).external_id
    await call("push_contact", replace(SARAH, last_name="Jones"), first)
    assert await call("fetch_contact", first) is not None
    await call("add_tag", first, "vip")
    await call("add_note", first, "Grüße 李")
    await call("find_add_note", first, "Grüße 李")
    await call("pull_contacts", "")
    if call.can("pull_records"):
        await asyncio.to_thread(
            sandbox.seed, "hubspot", "deals", [{"properties": {"dealname": "Roof"}, "contact": first}]
        )
        for kind in ("deal", "company"):
            assert not (await call("pull_records", kind, "")).has_more
    if call.can("push_contacts"):
        await call("push_contacts", [(SARAH, first), (replace(SARAH, email="zoe@example.com", tags=("vip",)), "")])
    if call.can("merge_contacts"):
        other = replace(SARAH, email="other@example.com", phone="+13125550199")
        second = (await call("push_contact", other, "")).external_id
        await call("merge_contacts", first, second)
    await call("delete_contact", first)


async def billing(call: Caller, sandbox: Sandbox) -> None:
    customer = (await call("push_customer", SARAH, "")).external_id
    await call("push_customer", replace(SARAH, last_name="Jones"), customer)
    made = await call("create_invoice", customer, INVOICE)
    if call.can("find_create_invoice"):
        await call("find_create_invoice", customer, INVOICE)
    assert await call("fetch_invoice", made.id) is not None
    if call.can("add_payment"):
        paid = await call("create_invoice", customer, replace(INVOICE, reference="JOB-2"))
        payment = Payment("pi_1", Decimal("20.50"), "USD", date(2026, 11, 27), "card")
        await call("add_payment", paid.id, payment)
        if call.can("find_add_payment"):
            await call("find_add_payment", paid.id, payment)
    await call("void_invoice", made.id)
    for kind in ("invoice", "payment"):
        assert await call("pull_records", kind, "")
    del sandbox


async def tasks(call: Caller, sandbox: Sandbox) -> None:
    task = Task("Call Zoë 李", "She asked for a quote", date(2026, 12, 24))
    made = await call("create_task", task)
    for operation, arguments in (("create_task", (task,)), ("add_comment", (made.id, "Done"))):
        if call.can(f"find_{operation}"):
            await call(f"find_{operation}", *arguments)
    await call("add_comment", made.id, "Done")
    assert await call("fetch_task", made.id) is not None
    await call("complete_task", made.id)
    if call.can("read"):
        assert await call("read", made.id) is not None
    assert (await call("pull_records", "task", "")).records


async def email(call: Caller, sandbox: Sandbox) -> None:
    mail = EmailMessage("sarah@example.com", "Grüße", "Text 李", "<p>Text</p>")
    await call("send", mail)
    if call.can("find_send"):
        await call("find_send", mail)


async def sms(call: Caller, sandbox: Sandbox) -> None:
    await call("send", "+13125550147", "Grüße 李")
    await call("find_send", "+13125550147", "Grüße 李")


async def chat(call: Caller, sandbox: Sandbox) -> None:
    await call("post", "#sales", "Grüße 李")
    await call("post", "#sales", "It broke ✗ <&>", (Button("Open incident", "https://m.example/1"),))
    await call("find_post", "#sales", "Grüße 李")


async def table(call: Caller, sandbox: Sandbox) -> None:
    await call("upsert_rows", "Contacts", "id", [{"id": "1", "name": "Zoë 李"}, {"id": "2", "name": "Omar"}])
    await call("upsert_rows", "Contacts", "id", [{"id": "1", "name": "Zoë", "city": "Köln"}])
    await call("remove_rows", "Contacts", "id", ["2"])
    assert len((await call("read_rows", "Contacts")).rows) == 1


async def voice(call: Caller, sandbox: Sandbox) -> None:
    order = Call("+13125550147", name="Sarah", variables={"job": "roof"})
    placed = await call("place_call", order)
    await call("find_place_call", order)
    await call("fetch_call", placed.id)
    await call("stop_call", placed.id)


async def layer(call: Caller, sandbox: Sandbox) -> None:
    await call("send_event", "lead.qualified", {"name": "Zoë 李"})
    if call.can("pull_failures"):
        await asyncio.to_thread(sandbox.seed, "n8n", "executions", [{"id": 7}])
        assert (await call("pull_failures", "")).failures
        await call("retry_execution", "7")
        await call("find_retry_execution", "7")


async def pager(call: Caller, sandbox: Sandbox) -> None:
    await call(
        "page", Page("trigger", "key", "Zoë 李 ✗", "critical", "slack", "no such channel", "https://m.example/1")
    )
    await call("page", Page("resolve", "key", "Zoë 李 ✗"))
    del sandbox


ROLES: Mapping[str, Callable[[Caller, Sandbox], Awaitable[None]]] = {
    "crm": crm,
    "billing": billing,
    "accounting": billing,
    "tasks": tasks,
    "email": email,
    "sms": sms,
    "chat": chat,
    "table": table,
    "voice": voice,
    "layer": layer,
    "pager": pager,
}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


def of_http() -> list[tuple[str, str]]:
    return [
        (name, role) for name, connector in all_connectors().items() for role in connector.roles if name not in NO_HTTP
    ]


@pytest.mark.parametrize(("name", "role"), of_http())
async def test_every_operation_keeps_the_contract(process: SandboxProcess, name: str, role: str) -> None:
    sandbox = process.sandbox
    await process.aio.reset()
    if name in PREPARED:
        await process.aio.configure(name, **PREPARED[name])
    connector = all_connectors()[name]
    assert connector.settings is not None
    assert connector.http is not None
    keys = {"connector": name, "base_url": sandbox.url(name) + BELOW.get(name, ""), **SETTINGS[name]}
    settings = connector.settings.model_validate(keys)
    http_settings = replace(connector.http(settings), timeout=20.0)
    async with open_session() as session:
        steps = iter(range(1000))

        def make() -> Any:
            http = Http(session, http_settings, idempotency_key=f"run-{next(steps)}")
            http.tried_ago = 60.0
            return connector.roles[role](settings, http, None)

        call = Caller(make)
        await ROLES[role](call, sandbox)
        if connector.check is not None:
            assert await connector.check(settings, Http(session, http_settings))
        of_object = {
            operation
            for operation, _ in inspect.getmembers(type(make()), inspect.iscoroutinefunction)
            if not operation.startswith("_")
        }
    assert of_object - call.called == set(), "operations that no contract is held against"
    declared = {each.partition(".")[2] for each in connector.idempotency if each.startswith(f"{role}.")}
    assert declared <= call.called
    records = await process.aio.requests(name)
    assert len(records) >= len(declared)
    for record in records:
        validate_recorded(record)


def test_every_connector_is_here() -> None:
    assert {name for name, _ in of_http()} == set(SETTINGS)
    assert {role for _, role in of_http()} == set(ROLES)
