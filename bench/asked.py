"""Which addresses are asked for of every page, and with what: the table of ``pages.py``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from history import DAYS, History, email_of, incident_id, name_of, phone_of

from mainstay.insight.weeks import Week

ROOT = "/w/bench"
_Ask = Callable[[History, int], str]


def _contact(history: History, lead: int) -> str:
    return f"{ROOT}/contacts/{_uuid(history.contact_id(history.contact_of(lead)))}"


def _uuid(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _failed(history: History, lead: int) -> str:
    return _uuid(history.run_id(min(lead // 61 * 61 + 1, history.leads - 2_100), 2))


def _week(number: int) -> str:
    """Return one of the weeks that the history covers, the one that still runs among them."""
    return Week.of(datetime.now(UTC) - timedelta(weeks=number % (DAYS // 7)), ZoneInfo("UTC")).name


PAGES: dict[str, tuple[str, _Ask]] = {
    "overview": ("/w/{slug}", lambda _h, _n: ROOT),
    "runs": ("/w/{slug}/runs", lambda _h, _n: f"{ROOT}/runs"),
    "runs before": ("/w/{slug}/runs", lambda h, n: f"{ROOT}/runs?before={_uuid(h.run_id(n, 0))}"),
    **{
        f"runs {state}": ("/w/{slug}/runs", lambda _h, _n, state=state: f"{ROOT}/runs?state={state}")  # type: ignore[misc]
        for state in ("queued", "running", "waiting", "failed", "stopped", "done", "open", "cancelled")
    },
    "runs of a workflow": ("/w/{slug}/runs", lambda _h, _n: f"{ROOT}/runs?workflow=push.v1"),
    "runs of a workflow, failed": (
        "/w/{slug}/runs",
        lambda h, n: f"{ROOT}/runs?workflow=speed_to_lead.v2&state=failed&before={_uuid(h.run_id(n, 0))}",
    ),
    "runs by name": ("/w/{slug}/runs", lambda _h, n: f"{ROOT}/runs?q={name_of(n)[1]}"),
    "runs by a first name": ("/w/{slug}/runs", lambda _h, n: f"{ROOT}/runs?q={name_of(n)[0]}"),
    "runs by e-mail": ("/w/{slug}/runs", lambda h, n: f"{ROOT}/runs?q={email_of(h.contact_of(n))}"),
    "runs by error": ("/w/{slug}/runs", lambda _h, _n: f"{ROOT}/runs?q=out+of+credit"),
    "runs by an error's number": ("/w/{slug}/runs", lambda _h, n: f"{ROOT}/runs?q=case+{n}"),
    "runs by id": ("/w/{slug}/runs", lambda h, n: f"{ROOT}/runs?q={h.run_id(n, 2)[-8:]}"),
    "runs by a vendor's id": ("/w/{slug}/runs", lambda h, n: f"{ROOT}/runs?q=crm-{h.contact_of(n)}"),
    "run": ("/w/{slug}/runs/{run_id}", lambda h, n: f"{ROOT}/runs/{_uuid(h.run_id(n, 2))}"),
    "run that failed": ("/w/{slug}/runs/{run_id}", lambda h, n: f"{ROOT}/runs/{_failed(h, n)}"),
    "contacts": ("/w/{slug}/contacts", lambda _h, _n: f"{ROOT}/contacts"),
    "contacts by name": ("/w/{slug}/contacts", lambda _h, n: f"{ROOT}/contacts?q={'+'.join(name_of(n))}"),
    "contacts by a first name": ("/w/{slug}/contacts", lambda _h, n: f"{ROOT}/contacts?q={name_of(n)[0]}"),
    "contacts by a letter": ("/w/{slug}/contacts", lambda _h, n: f"{ROOT}/contacts?q={'abcdefghij'[n % 10]}"),
    "contacts by e-mail": ("/w/{slug}/contacts", lambda h, n: f"{ROOT}/contacts?q={email_of(h.contact_of(n))}"),
    "contacts by phone": ("/w/{slug}/contacts", lambda h, n: f"{ROOT}/contacts?q={phone_of(h.contact_of(n))[2:]}"),
    "contacts by a vendor's id": ("/w/{slug}/contacts", lambda h, n: f"{ROOT}/contacts?q=crm-{h.contact_of(n)}"),
    "contact": ("/w/{slug}/contacts/{contact_id}", _contact),
    "contact, to merge": ("/w/{slug}/contacts/{contact_id}/merge", lambda h, n: f"{_contact(h, n)}/merge?q=sarah"),
    "contact, beside another": (
        "/w/{slug}/contacts/{contact_id}/merge/{other_id}",
        lambda h, n: f"{_contact(h, n)}/merge/{_contact(h, n + 1).rpartition('/')[2]}",
    ),
    "deliveries": ("/w/{slug}/deliveries", lambda _h, _n: f"{ROOT}/deliveries"),
    "deliveries of a source": ("/w/{slug}/deliveries", lambda _h, _n: f"{ROOT}/deliveries?source=phone"),
    **{
        f"deliveries {state}": ("/w/{slug}/deliveries", lambda _h, _n, state=state: f"{ROOT}/deliveries?state={state}")  # type: ignore[misc]
        for state in ("accepted", "processed", "ignored", "rejected", "failed")
    },
    "deliveries by id": ("/w/{slug}/deliveries", lambda h, n: f"{ROOT}/deliveries?q={h.delivery_id(n)[-8:]}"),
    "delivery": ("/w/{slug}/deliveries/{delivery_id}", lambda h, n: f"{ROOT}/deliveries/{_uuid(h.delivery_id(n))}"),
    "quarantine": ("/w/{slug}/quarantine", lambda _h, _n: f"{ROOT}/quarantine"),
    "records": ("/w/{slug}/records/{kind}", lambda _h, _n: f"{ROOT}/records/invoice"),
    "records by number": (
        "/w/{slug}/records/{kind}",
        lambda h, n: f"{ROOT}/records/invoice?q=INV-{n % (h.contacts // 4):07d}",
    ),
    "records paid": ("/w/{slug}/records/{kind}", lambda _h, _n: f"{ROOT}/records/invoice?status=paid"),
    "connections": ("/w/{slug}/connections", lambda _h, _n: f"{ROOT}/connections"),
    "settings": ("/w/{slug}/settings", lambda _h, _n: f"{ROOT}/settings"),
    "incidents": ("/w/{slug}/incidents", lambda _h, _n: f"{ROOT}/incidents"),
    "incidents resolved": ("/w/{slug}/incidents", lambda _h, _n: f"{ROOT}/incidents?state=resolved"),
    "incident, open": ("/w/{slug}/incidents/{incident_id}", lambda _h, _n: f"{ROOT}/incidents/{_uuid(incident_id(0))}"),
    "incident": (
        "/w/{slug}/incidents/{incident_id}",
        lambda _h, n: f"{ROOT}/incidents/{_uuid(incident_id(1 + n % 200))}",
    ),
    "reviews": ("/w/{slug}/reviews", lambda _h, _n: f"{ROOT}/reviews"),
    "reviews decided": ("/w/{slug}/reviews/decided", lambda _h, _n: f"{ROOT}/reviews/decided"),
    "approvals": ("/w/{slug}/reviews/approvals", lambda _h, _n: f"{ROOT}/reviews/approvals"),
    "retries": ("/w/{slug}/retries", lambda _h, _n: f"{ROOT}/retries"),
    "monitors": ("/w/{slug}/monitors", lambda _h, _n: f"{ROOT}/monitors"),
    "mirrors": ("/w/{slug}/mirrors", lambda _h, _n: f"{ROOT}/mirrors"),
    "weekly review": ("/w/{slug}/weeks/{name}", lambda _h, n: f"{ROOT}/weeks/{_week(n)}"),
}
# Pages of one row of a small table, redirects, and what is no page of a workspace.
NOT_ASKED = {
    "/",
    "/healthz",
    "/readyz",
    "/sign-in",
    "/oauth/callback",
    "/w/{slug}/records",
    "/w/{slug}/records/{kind}/{record_id}",
    "/w/{slug}/connections/{name}/connect",
    "/w/{slug}/monitors/{name}",
    "/w/{slug}/retries/{order_id}",
    "/w/{slug}/quarantine/{quarantine_id}",
    "/w/{slug}/news",
    "/w/{slug}/weeks",
}
