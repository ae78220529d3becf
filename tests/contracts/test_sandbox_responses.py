"""Every answer of the sandbox, and every request of these tests, keeps the vendor's own contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import GHL, HUBSPOT, POSTMARK, SLACK, TWILIO, TWILIO_ACCOUNT, Answer, call

TEXTS = f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages"
TEXT = urlencode({"To": "+13125550147", "From": "+13125550100", "Body": "Grüße 👍"}).encode()
JSON = {"Content-Type": "application/json"}
META = {"Authorization": "Bearer page-1"}
MAIL = {"From": "hello@example.com", "To": "sarah@example.com", "Subject": "Hello", "TextBody": "Hi"}
SEARCH = {
    "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "sarah@example.com"}]}],
    "sorts": ["lastmodifieddate"],
    "properties": ["email", "firstname"],
    "limit": 10,
    "after": "0",
}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


class Checked:
    """Sends requests to one vendor and holds each request and answer against the contract."""

    def __init__(self, sandbox: Sandbox, vendor: str, headers: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self.vendor = vendor
        self.headers = JSON | dict(headers)

    def __call__(self, method: str, path: str, body: Any = None, *, good: bool = True, **headers: str) -> Answer:
        sent = self.headers | headers
        url = f"{self.sandbox.base_url}/{self.vendor}{path}"
        if good:
            validate_request(self.vendor, method, url, sent, body)
        answer = call(method, url, body, sent)
        validate_response(self.vendor, method, url, answer.status, answer.headers, answer.body, sent)
        return answer


@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
def test_gohighlevel(sandbox: Sandbox, version: str) -> None:
    ask = Checked(sandbox, "gohighlevel", GHL | {"Version": version})
    full = {
        "locationId": "loc", "firstName": "Sarah", "lastName": "Johnson", "name": "Sarah Johnson", "tags": ["lead"],
        "email": "sarah@example.com", "phone": "+13125550147", "address1": "1 Main St", "city": "Chicago",
        "state": "IL", "postalCode": "60601", "country": "US", "website": "https://example.com", "source": "website",
        "timezone": "America/Chicago", "companyName": "Acme", "dnd": False, "gender": "female", "assignedTo": "u1",
        "customFields": [{"id": "f1", "key": "roof", "field_value": "tile"}],
    }  # fmt: skip
    made = ask("POST", "/contacts/", full)
    path = f"/contacts/{made.json()['contact']['id']}"
    update = {k: v for k, v in full.items() if k not in {"locationId", "companyName", "gender"}}
    statuses = [
        made.status,
        ask("POST", "/contacts/", full).status,
        ask("POST", "/contacts/upsert", full | {"createNewIfDuplicateAllowed": False}).status,
        ask("POST", "/contacts/upsert", {"locationId": "loc", "email": None, "phone": "+13125550148"}).status,
        ask("GET", path).status,
        ask("PUT", path, update).status,
        ask("GET", "/contacts/search/duplicate?" + urlencode({"locationId": "loc", "email": full["email"]})).status,
        ask("GET", "/contacts/search/duplicate?" + urlencode({"locationId": "loc", "number": full["phone"]})).status,
        ask("POST", "/contacts/search", {"locationId": "loc", "pageLimit": 1, "filters": []}).status,
        ask("POST", f"{path}/tags", {"tags": ["hot"]}).status,
        ask("DELETE", f"{path}/tags", {"tags": ["hot"]}).status,
        ask("POST", f"{path}/notes", {"body": "Called"}).status,
        ask("GET", f"{path}/notes").status,
        ask("DELETE", path).status,
        ask("GET", path).status,
    ]
    assert statuses == [201, 400, 200, 200, 200, 200, 200, 200, 200, 201, 200, 201, 200, 200, 404]
    refusals = [
        ask("POST", "/contacts/", {"email": "a@example.com"}, good=False).status,
        ask("POST", "/contacts/upsert", {"locationId": "loc", "emial": "x"}, good=False).status,
        ask("PUT", path, {"locationId": "loc"}, good=False).status,
        ask("POST", "/contacts/", {"locationId": "loc"}, good=False, Authorization="Bearer invalid").status,
        ask("POST", "/contacts/", b"{", good=False).status,
        ask("GET", "/contacts/search/duplicate", good=False).status,
        ask("POST", "/contacts/search", {}, good=False).status,
    ]
    assert refusals == [422, 422, 404, 401, 400, 400, 400]


@pytest.mark.parametrize("base", ["/crm/v3/objects", "/crm/objects/2026-03"])
def test_hubspot_contacts(sandbox: Sandbox, base: str) -> None:
    ask = Checked(sandbox, "hubspot", HUBSPOT)
    contacts = f"{base}/contacts"
    body = {"properties": {"email": "sarah@example.com", "firstname": "Sarah"}, "associations": []}
    by_email = f"{contacts}/sarah%40example.com?idProperty=email"
    upserts = [{"id": "sarah@example.com", "idProperty": "email", "properties": {"lastname": "Johnson"}}]
    wrong = [{"id": "sarah@example.com", "idProperty": "email", "properties": {"nothing": "x"}}]
    made = ask("POST", contacts, body)
    statuses = [
        made.status,
        ask("POST", contacts, body).status,
        ask("PATCH", by_email, {"properties": {"phone": "+13125550147"}}).status,
        ask("PATCH", f"{contacts}/{made.json()['id']}", {"properties": {"phone": ""}}).status,
        ask("GET", f"{by_email}&properties=email&properties=phone").status,
        ask("POST", f"{contacts}/search", SEARCH).status,
        ask("POST", f"{contacts}/batch/upsert", {"inputs": upserts}).status,
        ask("POST", f"{contacts}/batch/upsert", {"inputs": wrong}).status,
        ask("DELETE", f"{contacts}/{made.json()['id']}").status,
        ask("GET", by_email).status,
    ]
    assert statuses == [201, 409, 200, 200, 200, 200, 200, 207, 204, 404]
    refusals = [
        ask("POST", contacts, {"properties": {"nothing": "x"}, "associations": []}).status,
        ask("POST", contacts, {"properties": {"email": "x"}}, good=False).status,
        ask("POST", f"{contacts}/search", {}, good=False).status,
        ask("POST", contacts, b"{", good=False).status,
        ask("GET", by_email, good=False, Authorization="").status,
    ]
    assert refusals == [400, 400, 400, 400, 401]


def test_hubspot_notes(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "hubspot", HUBSPOT)
    contact = ask("POST", "/crm/v3/objects/contacts", {"properties": {}, "associations": []}).json()["id"]
    link = {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]}
    body = {"properties": {"hs_timestamp": "2026-11-23T09:00:00Z", "hs_note_body": "Called"}, "associations": [link]}
    note = ask("POST", "/crm/v3/objects/notes", body)
    assert note.status == 201
    tie = f"/crm/v4/objects/notes/{note.json()['id']}/associations/default/contacts"
    assert ask("PUT", f"{tie}/{contact}").status == 200
    assert ask("PUT", f"{tie}/1").status == 404
    assert ask("GET", f"/crm/v3/objects/notes/{note.json()['id']}").status == 200
    filters = [{"propertyName": "associations.contact", "operator": "EQ", "value": contact}]
    search = SEARCH | {"filterGroups": [{"filters": filters}], "properties": ["hs_note_body"]}
    (found,) = ask("POST", "/crm/v3/objects/notes/search", search).json()["results"]
    assert (found["id"], found["properties"]["hs_note_body"]) == (note.json()["id"], "Called")
    sandbox.configure("hubspot", search_lag_ms=60_000)
    assert ask("POST", "/crm/v3/objects/notes/search", search).json()["total"] == 0


def test_slacks_channels_and_their_messages(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "slack", SLACK)
    metadata = {"event_type": "mainstay", "event_payload": {"key": "7f3a-1"}}
    for number in range(3):
        ask("POST", "/api/chat.postMessage", {"channel": "#leads", "text": f"lead {number}", "metadata": metadata})

    listed = ask("GET", "/api/conversations.list?types=public_channel&limit=200").json()["channels"]
    (channel,) = [each for each in listed if each["name"] == "leads"]
    query = {"channel": channel["id"], "include_all_metadata": "true", "limit": "2"}
    newest = ask("GET", f"/api/conversations.history?{urlencode(query)}").json()
    assert [message["text"] for message in newest["messages"]] == ["lead 2", "lead 1"]
    assert newest["messages"][0]["metadata"] == metadata
    query["cursor"] = newest["response_metadata"]["next_cursor"]
    (oldest,) = ask("GET", f"/api/conversations.history?{urlencode(query)}").json()["messages"]
    assert oldest["text"] == "lead 0"
    del query["include_all_metadata"]
    assert "metadata" not in ask("GET", f"/api/conversations.history?{urlencode(query)}").json()["messages"][0]
    assert ask("GET", "/api/conversations.history?channel=C999999999").json()["messages"] == []
    sandbox.configure("slack", scopes=["chat:write"])
    refused = ask("GET", "/api/conversations.list").json()
    assert (refused["error"], refused["needed"]) == ("missing_scope", "channels:read")


def test_postmarks_search_of_what_was_sent(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "postmark", POSTMARK)
    sent = ask("POST", "/email", MAIL | {"Metadata": {"mainstay_key": "7f3a-1"}, "MessageStream": "outbound"}).json()
    ask("POST", "/email", MAIL | {"Metadata": {"mainstay_key": "7f3a-2"}})

    def found(**query: str) -> list[str]:
        page = ask("GET", f"/messages/outbound?{urlencode({'count': '1', 'offset': '0', **query})}").json()
        return [message["MessageID"] for message in page["Messages"]]

    assert found(metadata_mainstay_key="7f3a-1", messagestream="outbound") == [sent["MessageID"]]
    assert found(metadata_mainstay_key="7f3a-1", messagestream="broadcast") == []
    assert found(metadata_mainstay_key="7f3a-3") == []
    assert ask("GET", "/messages/outbound?count=0&offset=0").status == 422
    sandbox.configure("postmark", search_lag_ms=60_000)
    assert found(metadata_mainstay_key="7f3a-1") == []


def test_slack(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "slack", SLACK)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*New lead*"}}]
    metadata = {"event_type": "mainstay_step", "event_payload": {"step": "7f3a/1"}}
    message = {"channel": "C123456789", "text": "New lead", "blocks": blocks, "metadata": metadata}
    first = ask("POST", "/api/chat.postMessage", message).json()
    form = urlencode({"channel": "#leads", "text": "x", "unfurl_links": "false"}).encode()
    as_form = Checked(sandbox, "slack", SLACK | {"Content-Type": "application/x-www-form-urlencoded"})
    assert as_form("POST", "/api/chat.postMessage", form).json()["ok"] is True
    reply = ask("POST", "/api/chat.postMessage", {"channel": "C123456789", "text": "x", "thread_ts": first["ts"]})
    assert reply.json()["message"]["thread_ts"] == first["ts"]
    assert ask("POST", "/api/chat.postMessage", {"channel": "C123456789"}).json()["error"] == "no_text"
    assert ask("POST", "/api/chat.postMessage", {"channel": "x", "text": "x"}).json()["error"] == "channel_not_found"
    refused = ask("POST", "/api/chat.postMessage", message, good=False, Authorization="")
    assert refused.json()["error"] == "not_authed"
    assert ask("GET", "/api/auth.test").json()["ok"] is True
    assert ask("POST", "/services/T000SANDBOX/B000SANDBOX/x", {"text": "x"}).body == b"ok"
    assert ask("POST", "/services/T000SANDBOX/B000SANDBOX/x", {"mrkdwn": True}, good=False).body == b"no_text"


def test_postmark(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "postmark", POSTMARK)
    no_token: dict[str, Any] = {"X-Postmark-Server-Token": ""}
    rich = MAIL | {"Metadata": {"step": "1"}, "MessageStream": "outbound", "Headers": [{"Name": "X-A", "Value": "1"}]}
    assert ask("POST", "/email", rich).status == 200
    assert ask("POST", "/email", MAIL | {"To": "nobody"}).status == 422
    assert ask("POST", "/email/batch", [MAIL, MAIL | {"To": "nobody"}]).status == 200
    assert ask("POST", "/email", b"{", good=False).status == 422
    assert ask("POST", "/email", MAIL, good=False, **no_token).status == 401


def test_twilio(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "twilio", TWILIO)
    service = urlencode({"To": "+13125550148", "MessagingServiceSid": "MG" + "2c" * 16, "Body": "x" * 200}).encode()
    first, second = ask("POST", f"{TEXTS}.json", TEXT), ask("POST", f"{TEXTS}.json", service)
    assert (first.status, first.json()["status"], second.json()["num_segments"]) == (201, "queued", "2")
    assert ask("GET", f"{TEXTS}/{first.json()['sid']}.json").json()["body"] == "Grüße 👍"
    assert ask("GET", f"{TEXTS}/SM{'0' * 32}.json").status == 404
    page = ask("GET", f"{TEXTS}.json?PageSize=1").json()
    assert [message["sid"] for message in page["messages"]] == [second.json()["sid"]]
    page = ask("GET", page["next_page_uri"]).json()
    assert ([message["sid"] for message in page["messages"]], page["next_page_uri"]) == ([first.json()["sid"]], None)
    found = ask("GET", f"{TEXTS}.json?{urlencode({'To': '+13125550147', 'From': '+13125550100'})}").json()["messages"]
    assert [message["sid"] for message in found] == [first.json()["sid"]]
    refusals = [
        ask("POST", f"{TEXTS}.json", TEXT, good=False, Authorization="Basic eDp5").status,
        ask("POST", f"{TEXTS}.json", TEXT.replace(b"13125550147", b"15005550001")).json()["code"],
        ask("POST", f"{TEXTS}.json", b"From=x", good=False).json()["code"],
        ask("GET", f"{TEXTS}.json?PageSize=0", good=False).status,
    ]
    assert refusals == [401, 21211, 21604, 400]


def test_meta(sandbox: Sandbox) -> None:
    ask = Checked(sandbox, "meta", META)
    field_data = [{"name": "full_name", "values": ["Sarah Johnson"]}]
    sandbox.seed("meta", "leads", [{"id": "4", "form_id": "7", "field_data": field_data, "is_organic": False}])
    fields = "created_time,field_data,form_id,ad_id,campaign_id,platform,is_organic"
    assert ask("GET", f"/v25.0/4?fields={fields}").json()["field_data"] == field_data
    assert ask("GET", "/v25.0/7/leads?fields=id,created_time").json()["data"][0]["id"] == "4"
    assert ask("GET", "/v25.0/5").status == 400
    assert ask("GET", "/v25.0/4?fields=email", good=False).status == 400


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    ("vendor", "method", "path", "headers", "body"),
    [
        ("gohighlevel", "POST", "/contacts/upsert", GHL, {"locationId": "loc", "email": "a@example.com"}),
        ("hubspot", "POST", "/crm/v3/objects/contacts/search", HUBSPOT, SEARCH),
        ("slack", "POST", "/api/chat.postMessage", SLACK, {"channel": "C123456789", "text": "x"}),
        ("slack", "POST", "/services/T000SANDBOX/B000SANDBOX/x", SLACK, {"text": "x"}),
        ("postmark", "POST", "/email", POSTMARK, MAIL),
        ("twilio", "POST", f"{TEXTS}.json", TWILIO, TEXT),
        ("meta", "GET", "/v25.0/4", META, None),
    ],
)
def test_status_faults_have_the_vendors_shape(
    sandbox: Sandbox, status: int, vendor: str, method: str, path: str, headers: dict[str, str], body: Any
) -> None:
    sandbox.set_fault(vendor, "status", status=status, retry_after=1)
    answer = Checked(sandbox, vendor, headers)(method, path, body)
    assert (answer.status, answer.headers["Retry-After"]) == (status, "1")


def test_the_request_log_can_be_held_against_the_contract(sandbox: Sandbox) -> None:
    ghl, slack = Checked(sandbox, "gohighlevel", GHL), Checked(sandbox, "slack", SLACK)
    ghl("POST", "/contacts/upsert", {"locationId": "loc", "email": "a@example.com"})
    ghl("POST", "/contacts/upsert", {"locationId": "loc", "emial": "a@example.com"}, good=False)
    slack("POST", "/api/chat.postMessage", {"channel": "C123456789", "text": "x"})
    good, bad, posted = sandbox.requests()
    validate_recorded(good)
    validate_recorded(posted)
    with pytest.raises(AssertionError, match="keys that are not in the contract: emial"):
        validate_recorded(bad)
