from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from tests.sandbox.wire import call

LEAD = {
    "id": "444444444444444",
    "form_id": "777",
    "platform": "fb",
    "field_data": [{"name": "email", "values": ["sarah@example.com"]}],
}


def get(sandbox: Sandbox, path: str) -> tuple[int, Any]:
    answer = call("GET", f"{sandbox.url('meta')}{path}", headers={"Authorization": "Bearer page-1"})
    return answer.status, answer.json()


def test_a_seeded_lead_is_read_with_the_fields_asked_for(sandbox: Sandbox) -> None:
    assert sandbox.seed("meta", "leads", [LEAD]) == 1
    status, lead = get(sandbox, "/v25.0/444444444444444?fields=field_data,form_id")
    assert (status, lead) == (200, {"id": LEAD["id"], "field_data": LEAD["field_data"], "form_id": "777"})
    assert get(sandbox, "/v25.0/777/leads?fields=id")[1] == {"data": [{"id": LEAD["id"]}]}


def test_a_token_may_come_in_the_query(sandbox: Sandbox) -> None:
    sandbox.seed("meta", "leads", [LEAD])
    answer = call("GET", f"{sandbox.url('meta')}/v25.0/{LEAD['id']}?access_token=page-1")
    assert answer.json()["id"] == LEAD["id"]
    assert "page-1" not in str(sandbox.requests("meta"))


@pytest.mark.parametrize(
    ("path", "code"),
    [("/v25.0/1", 100), ("/v25.0/1?fields=email", 100), ("/1", 2500), ("/v25.0/1?access_token=x", 100)],
)
def test_errors_are_metas(sandbox: Sandbox, path: str, code: int) -> None:
    status, value = get(sandbox, path)
    assert (status, value["error"]["code"]) == (400, code)


def test_a_refused_token_is_190(sandbox: Sandbox) -> None:
    sandbox.configure("meta", tokens=["page-2"])
    status, value = get(sandbox, "/v25.0/1")
    assert (status, value["error"]["code"]) == (401, 190)


def test_a_lead_of_unknown_fields_is_not_seeded(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="a lead has no email"):
        sandbox.seed("meta", "leads", [{"email": "x"}])
