"""Stacks that are right."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mainstay.errors import ConfigError, Problem
from mainstay.settings import Environment, load_stack
from mainstay.settings.schema import IdentityTable
from mainstay.watch import Route
from tests.settings.conftest import VALUES, Load

WHOLE = """
[workspace]
name     = "Acme Plumbing"
timezone = "America/Chicago"
region   = "us"
hours    = "Mon-Fri 08:00-18:00, Sat 09:00-13:00"

[connections]
ghl    = { connector = "gohighlevel", token = "${GHL_TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
mail   = { connector = "postmark", token = "${POSTMARK_TOKEN}", from = "hello@acme.example" }
slack  = { connector = "slack", webhook_url = "${SLACK_WEBHOOK}" }

[roles]                                # what workflows ask for
crm = "ghl"
email = "mail"
chat = "slack"

[records.contact]
system_of_record = "ghl"
mirrors  = []
identity = { primary = "email", also = ["phone"] }
[records.invoice]
system_of_record = "ghl"

[sources.website]
kind   = "form"
secret = "${WEBSITE_SECRET}"
record = "contact"
map    = { email = "Email Address", phone = "Phone", name = "Full name", source = "'website'" }
expect = "1 in 4 business hours"
[sources.facebook]
kind = "facebook_lead_ads"
app_secret = ["${META_SECRET}"]
verify_token = "${META_VERIFY}"
page_token = "${META_PAGE}"

[alerts]
critical = ["slack", "chat:#alarms", "mail:dana@acme.example"]
other    = ["email:ops@acme.example", "slack"]
review   = "Mon 08:00"

[[elsewhere]]
name = "Stage moved to Won: thank-you mail"
platform = "gohighlevel"
trigger = "deal.stage_changed"
writes = ["message"]
owner = "Dana"
"""


def test_a_whole_stack(load: Load, tmp_path: Path) -> None:
    stack = load(WHOLE)
    assert (stack.slug, stack.name, stack.region) == ("acme-plumbing", "Acme Plumbing", "US")
    assert stack.timezone == ZoneInfo("America/Chicago")
    assert stack.hours
    assert stack.hours.is_open(datetime(2025, 6, 7, 12, 0, tzinfo=stack.timezone))
    assert not stack.hours.is_open(datetime(2025, 6, 7, 14, 0, tzinfo=stack.timezone))
    assert {name: entry.connector.name for name, entry in stack.connections.items()} == {
        "ghl": "gohighlevel",
        "mail": "postmark",
        "slack": "slack",
    }
    assert stack.roles == {"crm": "ghl", "email": "mail", "chat": "slack"}
    assert stack.system_of_record == "ghl"
    assert stack.identity == IdentityTable(primary="email", also=("phone",))
    assert {name: entry.kind.name for name, entry in stack.sources.items()} == {
        "website": "form",
        "facebook": "facebook_lead_ads",
    }
    assert stack.sources["website"].settings.expect == "1 in 4 business hours"
    assert [(each.name, each.owner) for each in stack.elsewhere] == [("Stage moved to Won: thank-you mail", "Dana")]
    assert stack.folder == tmp_path


def test_routes_of_alerts_name_a_connection_or_a_role(load: Load) -> None:
    alerts = load(WHOLE).alerts
    assert alerts.critical == (
        (Route("slack", "slack", "chat", ""),),
        (Route("chat:#alarms", "slack", "chat", "#alarms"),),
        (Route("mail:dana@acme.example", "mail", "email", "dana@acme.example"),),
    )
    assert alerts.review == "Mon 08:00"
    assert sorted((route.connection, route.target) for route in alerts) == [
        ("mail", "dana@acme.example"),
        ("mail", "ops@acme.example"),
        ("slack", ""),
        ("slack", "#alarms"),
    ]


def test_where_nobody_is_named_the_chat_hears_of_trouble_if_it_has_a_channel_of_its_own(load: Load) -> None:
    quiet = WHOLE[: WHOLE.index("[alerts]")] + WHOLE[WHOLE.index("[[elsewhere]]") :]
    slack = (Route("slack", "slack", "chat", ""),)
    assert load(quiet).alerts.ladder("critical") == load(quiet).alerts.ladder("other") == (slack,)
    without = quiet.replace('webhook_url = "${SLACK_WEBHOOK}"', 'token = "${SLACK_WEBHOOK}"')
    assert list(load(without).alerts) == []


def test_settings_are_the_connectors_own_with_secrets_filled_in(load: Load) -> None:
    connection = load(WHOLE).connections["ghl"]
    assert connection.connector.http
    assert connection.connector.http(connection.settings).secrets == (VALUES["GHL_TOKEN"],)


def test_no_text_form_shows_a_secret(load: Load) -> None:
    stack = load(WHOLE)
    settings = (
        [each.settings for each in stack.connections.values()],
        [each.settings for each in stack.sources.values()],
    )
    shown = repr(stack) + repr(settings)
    assert [name for name, value in VALUES.items() if value in shown] == []


def test_the_least_stack_keeps_contacts_in_our_own_store(load: Load) -> None:
    stack = load("")
    assert stack.roles == {"crm": "mainstay"}
    assert stack.system_of_record == "mainstay"
    assert stack.connections["mainstay"].connector.is_builtin
    assert (stack.hours, list(stack.alerts), stack.sources, stack.elsewhere) == (None, [], {}, ())


def test_a_role_that_one_connection_offers_need_not_be_named(load: Load) -> None:
    stack = load('[connections]\nhub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }\n')
    assert stack.roles == {"crm": "hub"}
    assert stack.system_of_record == "hub"
    assert set(stack.connections) == {"hub"}


def test_our_own_store_can_be_the_system_of_record_beside_a_crm(load: Load) -> None:
    text = '[connections]\nhub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }\n'
    stack = load(text + '[records.contact]\nsystem_of_record = "mainstay"\n')
    assert (stack.roles, stack.system_of_record) == ({"crm": "hub"}, "mainstay")
    assert stack.connections["mainstay"].connector.is_builtin


@pytest.mark.parametrize("name", ["here", "mainstay"])
def test_our_own_store_can_be_declared(load: Load, name: str) -> None:
    stack = load(f'[connections]\n{name} = {{ connector = "builtin" }}\n')
    assert (stack.roles, stack.system_of_record) == ({"crm": name}, name)
    assert set(stack.connections) == {name}


def test_a_source_reads_through_the_connection_that_it_names(load: Load) -> None:
    text = (
        '[connections]\nhub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }\n'
        '[sources.hub]\nkind = "hubspot"\nconnection = "hub"\nclient_secret = "${HUBSPOT_SECRET}"\n'
    )
    assert load(text).sources["hub"].settings.connection == "hub"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("costs $5, $$6 and $NAME", "costs $5, $$6 and $NAME"),
        ("$${GHL_TOKEN}", "${GHL_TOKEN}"),
        ("a ${WEBSITE_SECRET} b ${META_SECRET}$${", "a website-0123456789 b meta-0123456789${"),
    ],
)
def test_references_are_filled_in_and_can_be_escaped(load: Load, written: str, value: str) -> None:
    stack = load(f'[[elsewhere]]\nname = "{written}"\nplatform = "make"\ntrigger = "contact.created"\n')
    assert stack.elsewhere[0].name == value


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Müller & Söhne GmbH", "muller-sohne-gmbh"), ("  --A  B--  ", "a-b"), ("x" * 60, "x" * 48), ("A1", "a1")],
)
def test_the_slug_is_made_from_the_name(load: Load, name: str, slug: str) -> None:
    assert load(f'[workspace]\nname = "{name}"\ntimezone = "UTC"\nregion = "DE"\n').slug == slug


def test_a_slug_can_be_given(load: Load) -> None:
    assert load('[workspace]\nname = "水道"\nslug = "suido"\ntimezone = "Asia/Tokyo"\nregion = "JP"\n').slug == "suido"


def test_a_folder_will_do_and_so_will_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "stack.toml").write_text(WHOLE, encoding="utf-8-sig")
    assert load_stack(tmp_path, Environment.load(tmp_path, VALUES)).slug == "acme-plumbing"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    (tmp_path / ".env").write_text("GHL_TOKEN_FILE=token\n")
    (tmp_path / "stack.toml").write_text(WHOLE)
    values = {name: value for name, value in VALUES.items() if name != "GHL_TOKEN"}
    connection = load_stack(tmp_path, Environment.load(tmp_path, values)).connections["ghl"]
    assert connection.connector.http
    assert connection.connector.http(connection.settings).secrets == ("from-a-file",)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_stack(tmp_path, Environment.load(tmp_path, {}))
    expected = Problem("stack.toml", "", f'there is no stack.toml in "{tmp_path}"', "run `mainstay init` to make one")
    assert caught.value.problems == (expected,)


def test_importing_the_settings_brings_neither_connectors_nor_engine() -> None:
    code = "import sys, mainstay.settings; print([n for n in ('aiohttp', 'dbos', 'phonenumbers') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("written", "seconds"), [('"90s"', 90), ('"1h 30m"', 5400), ("600", 600), ('"00:10:00"', 600), ('"1d"', 86_400)]
)
def test_a_duration_is_written_as_in_a_workflow(load: Load, written: str, seconds: int) -> None:
    stack = load(f'[sources.again]\nkind = "form"\nrepeat_window = {written}\n')
    assert stack.sources["again"].settings.repeat_window == timedelta(seconds=seconds)
