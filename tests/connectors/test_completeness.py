"""Each connector is whole: what its ``quality.toml`` and ``doc.md`` say is held against what it declares and does.

A connector that is added, or that gains an operation, a setting or a source, fails here until it says so everywhere.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel

import mainstay.connectors
from mainstay.connectors import all_connectors, all_source_kinds
from mainstay.kit import (
    ConnectionSettings,
    NeedsHumanError,
    NotAuthenticError,
    PermanentError,
    RawRequest,
    Response,
    SourceSettings,
    TransientError,
)
from mainstay.sandbox import senders
from mainstay.sandbox.vendors import sender, simulators
from tests.contracts.test_every_operation import SETTINGS
from tests.contracts.test_signature_vectors import SOURCES, body_of, request_of, sent_at, vectors
from tests.sources import request

ROOT = Path(mainstay.connectors.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[2]
RULES = (
    "auth", "idempotency", "error_mapping", "rate_limits", "contract_requests", "contract_responses",
    "webhook_signature", "replay_window", "fixtures", "docs", "unicode",
)  # fmt: skip
WITH_ROLES = ("check", "pagination", "rate_budget", "simulator", "conformance")
WITH_RECORDS = ("search", "upsert", "pull", "batch")
KEEP_RECORDS = frozenset({"crm", "billing", "accounting", "tasks", "table"})
SUITES = {
    "crm": "CRMConformance",
    "billing": "BillingConformance",
    "accounting": "AccountingConformance",
    "tasks": "TasksConformance",
    "table": "TableConformance",
    "email": "EmailConformance",
    "sms": "SMSConformance",
    "chat": "ChatConformance",
    "voice": "VoiceConformance",
    "layer": "LayerConformance",
}
FILES = {"AccountingConformance": "billing", "ChatConformance": "message", "SMSConformance": "message"}
SIMULATED_AS = {"facebook_lead_ads": "meta"}
NAMES = sorted(all_connectors())
HTTP = sorted(SETTINGS)
_KEY = generate_private_key(SECP256R1()).public_key()
_SENDGRID_KEY = base64.b64encode(_KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
SOURCE_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "asana": {"secret": "s", "connection": "c"},
    "bland": {"secret": "s"},
    "calendly": {"signing_key": "s"},
    "csv": {},
    "facebook_lead_ads": {"app_secret": "s", "verify_token": "v", "page_token": "p"},
    "form": {"secret": "s"},
    "gohighlevel": {"secret": "s"},
    "hubspot": {"client_secret": "s", "connection": "c"},
    "jotform": {"secret": "s"},
    "json": {"secret": "s"},
    "layer_failure": {"secret": "s"},
    "linear": {"secret": "s"},
    "notion": {"verification_token": "s", "connection": "c"},
    "postmark": {"secret": "s"},
    "quickbooks": {"verifier_token": "s", "connection": "c", "realm_id": "1"},
    "resend": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    "retell": {"api_key": "s"},
    "sendgrid": {"public_key": _SENDGRID_KEY},
    "stripe": {"secret": "whsec_s"},
    "tally": {"secret": "s"},
    "twilio": {"auth_token": "s"},
    "typeform": {"secret": "s"},
    "vapi": {"secret": "s"},
    "xero": {"signing_key": "s", "connection": "c", "tenant_id": "fe79f7dd-b6d4-4a92-ba7b-538af6289c58"},
}
# What a proxy, a client or somebody who repeats a delivery may add; no vendor signs these.
NOT_SIGNED = {
    "idempotency-key": "other",
    "i-twilio-idempotency-token": "other",
    "linear-delivery": "other",
    "x-request-id": "other",
    "x-hook-signature-time": "other",
}


@cache
def rules_of(name: str) -> Mapping[str, Any]:
    """Return a connector's grade."""
    found: Mapping[str, Any] = tomllib.loads((ROOT / name / "quality.toml").read_text("utf-8"))["rules"]
    return found


def is_done(name: str, rule: str) -> bool:
    return bool(rules_of(name).get(rule) == "done")


def document(name: str) -> str:
    return (ROOT / name / "doc.md").read_text("utf-8")


def asked_of(name: str) -> set[str]:
    """Return the rules that a connector must answer, by what it declares."""
    roles = set(all_connectors()[name].roles)
    return {*RULES, *(WITH_ROLES if roles else ()), *(WITH_RECORDS if roles & KEEP_RECORDS else ())}


def own_settings(name: str) -> Iterator[str]:
    """Yield each key of a connection and of its sources, as stack.toml has it, that not all have."""
    connector = all_connectors()[name]
    shared = {*ConnectionSettings.model_fields, *SourceSettings.model_fields}
    classes = [connector.settings] if connector.settings else []
    for model in [*classes, *(source.settings for source in connector.sources)]:
        yield from (field.alias or key for key, field in model.model_fields.items() if key not in shared)


def proofs_of(name: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / name / "tests").glob("*.py")))


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_is_done_or_says_why_not(name: str) -> None:
    rules = rules_of(name)
    assert set(rules) == asked_of(name)
    for rule, grade in rules.items():
        reason = grade.get("exempt", "") if isinstance(grade, dict) else ""
        assert grade == "done" or len(reason) >= 8, f"{rule} is done, or exempt with a reason that a person understands"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_to_be_done_is_declared(name: str) -> None:
    connector = all_connectors()[name]
    operations = {operation.partition(".")[2]: promise for operation, promise in connector.idempotency.items()}
    declared = {
        "check": connector.check is not None,
        "pull": any(operation.startswith("pull_") for operation in operations),
        "idempotency": "none" not in operations.values(),
        "upsert": bool(operations.keys() & {"push_contact", "push_customer", "upsert_rows"}),
    }
    declared = {rule: what for rule, what in declared.items() if rule in asked_of(name)}
    assert {rule: is_done(name, rule) for rule in declared} == declared
    assert set(operations.values()) <= {"key", "state", "lookup", "none"}
    assert all(operation.partition(".")[0] in connector.roles for operation in connector.idempotency)
    if not connector.sources:
        assert not is_done(name, "webhook_signature")


@pytest.mark.parametrize("name", HTTP)
def test_an_account_has_a_budget_or_it_is_said_that_none_is_known(name: str) -> None:
    connector = all_connectors()[name]
    assert is_done(name, "rate_budget") == bool(connector.rates(settings_of(name)) or connector.max_concurrent)


@pytest.mark.parametrize("name", NAMES)
def test_what_lets_in_is_a_secret(name: str) -> None:
    connector = all_connectors()[name]
    classes: list[type[BaseModel]] = [connector.settings] if connector.settings else []
    classes += [source.settings for source in connector.sources]
    has_secret = any("SecretStr" in str(field.annotation) for each in classes for field in each.model_fields.values())
    # What a report is signed with may be a public key alone.
    has_secret |= any("public_key" in each.model_fields for each in classes)
    assert has_secret == is_done(name, "auth")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_of_everything_that_is_set_and_asked(name: str) -> None:
    connector, page = all_connectors()[name], document(name)
    missing = [key for key in own_settings(name) if not re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`|\b{key}\s*=", page)]
    assert missing == [], "keys of stack.toml that doc.md does not explain"
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert page.startswith("# ")
    assert "What it does" in headings or not connector.roles
    assert any(each.startswith(("Set-up", "Connection")) for each in headings) or not connector.settings
    assert any(each.startswith("When it stops") for each in headings) or name not in SETTINGS
    for source in connector.sources:
        assert re.search(rf'kind\s*=\s*"{source.name}"|kind `{source.name}`', page), f"the source {source.name}"
    flowing = " ".join(page.split())
    assert "mainstay connections check" in flowing or connector.check is None
    assert "mainstay connect " in flowing or connector.oauth is None
    assert "webhook" in page.lower() or not is_done(name, "webhook_signature") or "/in/WORKSPACE/" in page


@pytest.mark.parametrize("name", NAMES)
def test_it_brings_its_proofs(name: str) -> None:
    connector, written = all_connectors()[name], proofs_of(name)
    assert written, "no tests in its folder"
    if is_done(name, "fixtures"):
        assert any((ROOT / name / "tests" / "fixtures").rglob("*")), "fixtures are done, and there are none"
    # Of a role without a suite there is one connector, which says so.
    suites = {SUITES.get(role, "") for role in connector.roles}
    for suite in suites if is_done(name, "conformance") else ():
        assert suite, f"no suite is known for the roles {set(connector.roles)}"
        # One that needs more than the suite goes by a class of its own, of the same file.
        assert re.search(
            rf"from tests\.connectors\.{FILES.get(suite, suite.removesuffix('Conformance').lower())}_", written
        )
        assert re.search(r"class \w+\(\w*Conformance\)", written), suite
    if is_done(name, "pull"):
        assert "PullConformance)" in written
    if is_done(name, "contract_requests"):
        contracts = REPOSITORY / "tests" / "contracts"
        file = contracts / "vendors" / f"{name}.py"
        assert file.is_file() or (contracts / f"{SIMULATED_AS.get(name, name)}_contract.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_tried_without_its_vendor(name: str) -> None:
    if not is_done(name, "simulator") and "simulator" in rules_of(name):
        return
    known = {each.name for each in simulators()} | {"smtp"}
    for kind in (source.name for source in all_connectors()[name].sources):
        is_made_up = hasattr(senders, kind) or sender(kind) is not None or kind in {"csv", "json"}
        # A notice that names a record is of use beside the simulator that has the record.
        assert is_made_up or SIMULATED_AS.get(name, name) in known, f"nothing makes up deliveries of the kind {kind}"
    if "simulator" in rules_of(name):
        assert name in known


def settings_of(name: str) -> Any:
    model = all_connectors()[name].settings
    assert model is not None
    return model.model_validate({"connector": name, "base_url": "http://127.0.0.1:9", **SETTINGS[name]})


ANSWERS: tuple[tuple[int, Mapping[str, str], type[Exception], Any], ...] = (
    (429, {"retry-after": "7"}, TransientError, 7),
    (429, {}, TransientError, None),
    (500, {}, TransientError, None),
    (502, {}, TransientError, None),
    (503, {"retry-after": "9"}, TransientError, 9),
    (401, {}, NeedsHumanError, None),
    (403, {}, NeedsHumanError, None),
    (400, {}, PermanentError, None),
)


@pytest.mark.parametrize(("status", "headers", "fate", "wait"), ANSWERS)
@pytest.mark.parametrize("name", HTTP)
def test_a_bare_status_is_retried_given_up_or_told_to_a_person(
    name: str, status: int, headers: Mapping[str, str], fate: type[Exception], wait: float | None
) -> None:
    connector = all_connectors()[name]
    assert connector.http is not None
    error = connector.http(settings_of(name)).classify(Response(status, headers, b""))
    if (name, status) == ("make", 400):
        fate = NeedsHumanError  # The scenario is off; a full queue says so in words.
    assert isinstance(error, fate)
    assert error.status == status
    if isinstance(error, TransientError):
        # What a gateway answers for a vendor that may have done it is in doubt; what a limit refuses is not. A phone
        # that may ring already is worth a look at any 5xx.
        assert error.unsure == (status in {500, 502}) or (status == 503 and "voice" in connector.roles)
        assert wait is None or error.retry_after == wait


@pytest.mark.parametrize("name", HTTP)
def test_an_answer_that_is_not_the_vendors_is_no_success(name: str) -> None:
    connector = all_connectors()[name]
    assert connector.http is not None
    page = Response(200, {"content-type": "text/html"}, b"<html>Bad Gateway</html>")
    error = connector.http(settings_of(name)).classify(page)
    # A hook may answer anything; a CRM's calls look at their answers themselves.
    judged_elsewhere = {"layer", "crm", "table"} & set(connector.roles)
    assert judged_elsewhere or (isinstance(error, TransientError) and error.unsure)


def test_each_kind_of_source_is_tried_here() -> None:
    assert set(SOURCE_SETTINGS) == set(all_source_kinds())


@pytest.mark.parametrize("kind", sorted(SOURCE_SETTINGS))
@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": "1"}', b"\xff\x00", b"a=b"])
def test_who_proves_nothing_is_refused(kind: str, body: bytes) -> None:
    source = all_source_kinds()[kind]
    settings = source.settings.model_validate({"kind": kind, **SOURCE_SETTINGS[kind]})
    with pytest.raises(NotAuthenticError) as caught:
        source.verify(request(body), settings)
    assert str(caught.value)


def kinds_with(rule: str, *, done: bool) -> set[str]:
    return {
        source.name
        for name, connector in all_connectors().items()
        for source in connector.sources
        if is_done(name, rule) == done
    }


def test_each_window_is_proved_by_a_vector() -> None:
    proved = {SOURCES[each["vendor"]][0] for each in vectors() if each["vendor"] in SOURCES}
    assert not vectors() or kinds_with("replay_window", done=True) <= {*proved, "form"}


@pytest.mark.parametrize("vector", [each for each in vectors() if each["valid"] and each["vendor"] in SOURCES])
def test_what_was_signed_long_ago_is_refused_or_known_again(vector: Mapping[str, Any]) -> None:
    """A copy of a delivery, sent again: too old where a time is signed; else the same delivery, whatever is added."""
    name, _ = SOURCES[vector["vendor"]]
    made, settings = request_of(vector, body_of(vector))
    source = all_source_kinds()[name]
    late = RawRequest(made.method, made.url, made.headers, made.body, sent_at(vector) + timedelta(days=1, minutes=6))
    has_time = "signed: v2" not in vector["id"] and "v3" in vector["id"] if vector["vendor"] == "hubspot" else True
    if name in kinds_with("replay_window", done=True) and has_time:
        with pytest.raises(NotAuthenticError):
            source.verify(late, settings)
        return
    again = RawRequest(made.method, made.url, {**made.headers, **NOT_SIGNED}, made.body, late.received_at)
    assert source.delivery_key(again, settings) == source.delivery_key(made, settings)
