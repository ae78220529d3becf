from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import ValidationError

from mainstay.connectors.google_sheets import CONNECTOR
from mainstay.connectors.google_sheets.settings import SCOPE, oauth
from mainstay.connectors.google_sheets.spreadsheet import a1, letters, runs
from mainstay.kit import Http, NeedsHumanError, PermanentError, TransientError, VendorError, Written
from mainstay.kit.http import open_session
from tests.connectors.google_sheets_bench import BOOK, SheetsBench, connection
from tests.connectors.table_conformance import person, read_all
from tests.kit.recorder import Recorder

EMAIL = "mirror@acme-1.iam.gserviceaccount.example"


def key_file(**keys: Any) -> tuple[str, str]:
    """Return a service account's key as Google writes it, and its public key."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    written = {"type": "service_account", "client_email": EMAIL, "private_key_id": "k1", "private_key": pem, **keys}
    return json.dumps(written), public


# ------------------------------------------------------------------------------------------------- the way in


async def test_a_service_account_gets_in_by_its_signature(bench: SheetsBench) -> None:
    written, public = key_file()
    settings = connection(access_token="", credentials=written, base_url=bench.sandbox.url("google_sheets"))
    declared = oauth(settings)
    assert declared is not None
    assert declared.assertion is not None
    assert (declared.grant, declared.scopes) == ("jwt_bearer", (SCOPE,))
    await bench.configure(tokens=[], accounts={EMAIL: public})
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    form = {"grant_type": grant, "assertion": declared.assertion()}

    async with bench.session.post(declared.token_url, data=form) as answer:
        token = (await answer.json())["access_token"]
    await bench.configure(accounts={EMAIL: key_file()[1]})
    async with bench.session.post(declared.token_url, data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")

    assert await bench.table(access_token=token).upsert_rows("Contacts", "id", [person(1)]) == Written(created=1)
    with pytest.raises(NeedsHumanError, match="replace the service account's key"):
        await bench.table(access_token="other").read_rows("Contacts")


def test_real_tokens_come_from_google() -> None:
    settings = connection(access_token="", credentials=key_file()[0])
    declared = oauth(settings)
    assert declared is not None
    assert declared.token_url == "https://oauth2.googleapis.com/token"
    person_in = oauth(connection(access_token="", client_id="a", client_secret="b"))
    assert person_in is not None
    assert person_in.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert oauth(connection()) is None
    assert "PRIVATE" not in f"{settings!r} {declared!r} {person_in!r}"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"access_token": ""}, "give one of"),
        ({"client_id": "a", "client_secret": "b"}, "give one of"),
        ({"access_token": "", "client_id": "a"}, "give one of"),
        ({"spreadsheet_id": "x"}, "no spreadsheet's id"),
        ({"spreadsheet_id": "https://example.com/d/" + BOOK}, "no spreadsheet's id"),
        ({"access_token": "", "credentials": "{"}, "is no JSON"),
        ({"access_token": "", "credentials": "[]"}, "no service account's key"),
        ({"access_token": "", "credentials": key_file(type="authorized_user")[0]}, "no service account's key"),
        ({"access_token": "", "credentials": key_file(private_key="-----BEGIN")[0]}, "cannot be read"),
        ({"access_token": "", "credentials": key_file(private_key=7)[0]}, "no service account's key"),
    ],
)
def test_settings_that_cannot_be(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        connection(**keys)
    assert "BEGIN" not in str(caught.value)


def test_an_address_gives_the_id() -> None:
    address = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit?gid=0#gid=0"
    assert connection(spreadsheet_id=address).spreadsheet_id == BOOK


async def test_check_says_what_and_who(bench: SheetsBench) -> None:
    assert CONNECTOR.check is not None
    bench.table()
    settings = connection(base_url=bench.sandbox.url("google_sheets"))
    told = await CONNECTOR.check(settings, bench.attempts[-1])
    assert told == 'the spreadsheet "Book 1AbC" with 1 sheet, as the Google account that was connected'


# ---------------------------------------------------------------------------------------------------- volume


async def test_the_quota_ends_a_call_that_goes_on_later(bench: SheetsBench) -> None:
    rows = [person(number, note="x" * 400) for number in range(9_000)]
    await bench.table().upsert_rows("Contacts", "id", [person(1)])
    await bench.configure(writes=2)
    with pytest.raises(TransientError, match="Quota exceeded") as caught:
        await bench.table().upsert_rows("Contacts", "id", rows)
    assert (caught.value.retry_after, caught.value.unsure) == (20, False)

    await bench.configure(writes=0)
    await bench.table().upsert_rows("Contacts", "id", rows)

    assert len({row["id"] for row in await bench.cells("Contacts")}) == len(await bench.cells("Contacts")) == 9_000


async def test_few_calls_for_many_rows(bench: SheetsBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(number) for number in range(20_000)])
    first = await bench.requests()
    assert len(first) <= 10
    await bench.table().upsert_rows("Contacts", "id", [person(number, name="x") for number in range(0, 20_000, 50)])
    assert len(await bench.requests()) - len(first) <= 12


async def test_an_answer_that_is_too_large_is_asked_for_in_parts(bench: SheetsBench) -> None:
    rows = [person(number, note="ü" * 1_000) for number in range(6_000)]
    await bench.table().upsert_rows("Contacts", "id", rows)

    found, _ = await read_all(bench)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert await bench.table().upsert_rows("Contacts", "id", rows) == Written()


async def test_a_text_that_no_cell_holds_is_refused(bench: SheetsBench) -> None:
    with pytest.raises(PermanentError, match="50001 characters does not fit into 'note'"):
        await bench.table().upsert_rows("Contacts", "id", [person(1, note="x" * 50_001)])


# ---------------------------------------------------------------------------------------------------- errors


async def ask(vendor: Recorder) -> Any:
    async with open_session() as session:
        assert CONNECTOR.http is not None
        settings = connection(base_url=vendor.url)
        table = CONNECTOR.roles["table"](settings, Http(session, CONNECTOR.http(settings)), None)
        return await table.upsert_rows("Contacts", "id", [person(1)])


@pytest.mark.parametrize(
    ("code", "status", "reason", "fate", "mend"),
    [
        (401, "UNAUTHENTICATED", "", "human", "connect the account again"),
        (403, "PERMISSION_DENIED", "", "human", "share the spreadsheet with"),
        (403, "PERMISSION_DENIED", "SERVICE_DISABLED", "human", "Enable"),
        (403, "PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED", "transient", "why"),
        (404, "NOT_FOUND", "", "human", "compare spreadsheet_id"),
        (429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", "transient", "why"),
        (409, "ABORTED", "", "permanent", "why"),
        (500, "INTERNAL", "", "transient", "why"),
        (503, "UNAVAILABLE", "", "transient", "why"),
    ],
)
async def test_errors(vendor: Recorder, code: int, status: str, reason: str, fate: str, mend: str) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    vendor.answer({"error": {"code": code, "message": "why", "status": status, "details": details}}, status=code)
    with pytest.raises(VendorError, match=mend) as caught:
        await ask(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, code)


HOSTILE: list[Any] = [
    None,
    [],
    "text",
    7,
    {},
    {"sheets": None},
    {"sheets": [7, None, {"properties": 7}]},
    {"sheets": [{"properties": {"title": "Contacts", "sheetId": "x", "gridProperties": []}, "data": 7}]},
    {"sheets": [{"properties": {"title": "Contacts"}, "data": [{"rowData": [{"values": [{"formattedValue": []}]}]}]}]},
    {"error": "text"},
    {"error": {"message": {"a": 1}, "details": [7, {"reason": 7}]}},
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("status", [200, 400, 403])
async def test_an_answer_of_another_form_is_a_clear_error(vendor: Recorder, body: Any, status: int) -> None:
    for _ in range(4):
        vendor.answer(body, status=status)
    for _ in range(8):
        vendor.answer({"error": {"code": 503, "message": "stop", "status": "UNAVAILABLE"}}, status=503)
    with pytest.raises(VendorError):
        await ask(vendor)


@pytest.mark.parametrize(
    "ranges", [None, [], [7], [{"values": 7}], [{"values": [7]}], [{"values": [[["x"]]]}], [{"values": [[{"a": 1}]]}]]
)
async def test_cells_of_another_form_are_a_clear_error(vendor: Recorder, ranges: Any) -> None:
    names = [{"formattedValue": name} for name in ("id", "name", "email")]
    grid = {"rowCount": 10, "columnCount": 5}
    properties = {"title": "Contacts", "sheetId": 1, "gridProperties": grid}
    sheet = {"properties": properties, "data": [{"rowData": [{"values": names}]}]}
    for _ in range(4):
        vendor.answer({"sheets": [sheet]})
        vendor.answer({"valueRanges": ranges})
    with pytest.raises(VendorError):
        await ask(vendor)


# ---------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize(("place", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_have_letters(place: int, name: str) -> None:
    assert letters(place) == name


def test_a_title_is_quoted() -> None:
    assert a1("It's", 0, 1, (2, 3)) == "'It''s'!A2:B3"
    assert a1("A!B", 0, None, (1, 1)) == "'A!B'!1:1"
    assert a1("x", 2, 2, (5, None)) == "'x'!C5:C"


def test_rows_make_blocks() -> None:
    assert list(runs([])) == []
    assert list(runs([2, 3, 4, 7, 9])) == [(2, 4), (7, 7), (9, 9)]
    assert list(runs([2, 3, 4, 7, 9], gap=3)) == [(2, 9)]
    assert list(runs(range(2, 14), longest=5)) == [(2, 6), (7, 11), (12, 13)]


async def test_values_go_raw(bench: SheetsBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(1)])
    await bench.table().upsert_rows("Contacts", "id", [person(1, name="=1+1")])
    sent = [json.loads(record["body"]) for record in await bench.requests() if "values:batchUpdate" in record["path"]]
    assert {body["valueInputOption"] for body in sent} == {"RAW"}
    assert not [1 for record in await bench.requests() if dict(parse_qsl(record["url"])).get("append")]
