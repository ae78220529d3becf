"""Stacks that are wrong: where, which key, what, and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstay.connectors import all_connectors
from mainstay.errors import ConfigError, Problem
from mainstay.settings import Environment
from mainstay.settings.document import Document
from tests.settings.conftest import Load, Refuse
from tests.settings.test_stack import WHOLE

# A new connector is listed without a line here.
_ABLE = [connector for connector in all_connectors().values() if connector.settings is not None]
KNOWN_HERE = f"Known here: {', '.join(sorted(connector.name for connector in _ABLE))}."
ROLES = f"Roles: {', '.join(sorted({role for connector in _ABLE for role in connector.roles}))}."

HUB = 'hub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }\n'
GHL = 'ghl = { connector = "gohighlevel", token = "${GHL_TOKEN}", location_id = "x" }\n'
MAIL = 'mail = { connector = "postmark", token = "${POSTMARK_TOKEN}", from = "a@acme.example" }\n'
HUB_SOURCE = '[sources.h]\nkind = "hubspot"\nclient_secret = "${HUBSPOT_SECRET}"\n'
SHEET = 'sheet = { connector = "table_file", folder = "copies" }\n'
SLACK = 'slack = { connector = "slack", webhook_url = "${SLACK_WEBHOOK}" }\n'
UNSET = "set {0} in .env or the environment, or {0}_FILE to the path of a file that holds it"


def of_workspace(text: str) -> str:
    kept = {"name": '"Acme"', "timezone": '"UTC"', "region": '"US"'}
    key, _, value = text.partition(" = ")
    return "[workspace]\n" + "\n".join(f"{name} = {each}" for name, each in {**kept, key: value}.items())


# The texts stand below four lines of [workspace], so their first line is the fifth.
@pytest.mark.parametrize(
    ("text", "where", "key", "message", "hint"),
    [
        pytest.param(*case, id=f"{case[2]}: {case[3][:50]} {case[4][:20]}")
        for case in [
            # Connections
            (
                '[connections]\nx = { connector = "hubspt" }',
                6,
                "connections.x.connector",
                'there is no connector "hubspt"',
                'Did you mean "hubspot"?',
            ),
            (
                "[connections]\nx = { token = 1 }",
                6,
                "connections.x.connector",
                "connector is missing",
                KNOWN_HERE,
            ),
            (
                '[connections]\nx = { connector = "typeform" }',
                6,
                "connections.x.connector",
                "Typeform is a source, not a connection",
                'write [sources.x] with kind = "typeform"',
            ),
            ("[connections]\nx = 3", 6, "connections.x", "should be a table", 'write { connector = "..." }'),
            (
                '[connections."My CRM"]\nconnector = "builtin"',
                5,
                'connections."My CRM"',
                "a name here begins with a letter and is short and plain",
                "lower-case letters, digits, hyphens and underscores, 40 at most; for example my-crm",
            ),
            (
                '[connections]\nmainstay = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }',
                6,
                "connections.mainstay",
                '"mainstay" is the name of Mainstay\'s own store',
                'give this connection another name, or connector = "builtin"',
            ),
            (
                '[connections.mail]\nconnector = "postmark"\nfrom = "a@acme.test"\n',
                5,
                "connections.mail.token",
                "token is missing",
                "Server API token.",
            ),
            (
                '[connections.hub]\nconnector = "hubspot"\n',
                5,
                "connections.hub",
                "give either token, or client_id with client_secret (then run  mainstay connect NAME)",
                "",
            ),
            (
                '[connections.hub]\nconnector = "hubspot"\ntoken = "${HUBSPOT_TOKEN}"\nmatchphone = true\n',
                8,
                "connections.hub.matchphone",
                'there is no key "matchphone" here',
                'Did you mean "match_phone"?',
            ),
            (
                '[connections.hub]\nconnector = "hubspot"\ntoken = "${HUBSPOT_TOKEN}"\nmatch_phone = "perhaps"\n',
                8,
                "connections.hub.match_phone",
                "should be true or false",
                "",
            ),
            (
                '[connections.m]\nconnector = "smtp"\nhost = "h"\nfrom = "a@acme.example"\nsecurity = "ssl"\n',
                9,
                "connections.m.security",
                'should be "starttls", "tls" or "none"',
                "",
            ),
            # Secrets and references
            (
                '[connections]\nhub = { connector = "hubspot", token = "pat-na1-secret" }',
                6,
                "connections.hub.token",
                "secrets don't belong in stack.toml",
                'write token = "${HUB_TOKEN}" and put the value in .env',
            ),
            (
                '[sources.web-site]\nkind = "form"\nsecret = ["${WEBSITE_SECRET}", "plain-secret"]',
                7,
                "sources.web-site.secret[1]",
                "secrets don't belong in stack.toml",
                'write secret = "${WEB_SITE_SECRET}" and put the value in .env',
            ),
            (
                '[connections]\nhub = { connector = "hubspot", token = "${HUB_TOKEN}" }',
                6,
                "connections.hub.token",
                "HUB_TOKEN is not set, or empty",
                UNSET.format("HUB_TOKEN"),
            ),
            (
                '[connections]\nhub = { connector = "hubspot", token = "${hub-token}" }',
                6,
                "connections.hub.token",
                "${ begins a reference that is not one",
                "write ${NAME}, or $${ for the characters ${",
            ),
            (
                '[connections]\nx = { connector = "${GHL_TOKEN}" }',
                6,
                "connections.x.connector",
                'there is no connector "${GHL_TOKEN}"',
                KNOWN_HERE,
            ),
            (
                '[connections.m]\nconnector = "postmark"\ntoken = "${POSTMARK_TOKEN}"\nfrom = "${GHL_TOKEN}"',
                8,
                "connections.m.from",
                "'${GHL_TOKEN}' is no sender; write hello@acme.example or Acme <hello@acme.example>, commas in quotes",
                "",
            ),
            # Roles
            (
                f'[connections]\n{SLACK}[roles]\nchat = "slak"',
                8,
                "roles.chat",
                'there is no connection "slak"',
                'Did you mean "slack" (connector slack)?',
            ),
            (
                f'[connections]\n{SLACK}[roles]\ncrm = "slack"',
                8,
                "roles.crm",
                'connection "slack" (connector slack) offers chat, not crm',
                "declare a connection that offers crm",
            ),
            (
                f'[connections]\n{SLACK}{GHL}[roles]\ncrm = "slack"',
                9,
                "roles.crm",
                'connection "slack" (connector slack) offers chat, not crm',
                "crm is offered by: ghl",
            ),
            (
                '[roles]\nemial = "mail"',
                6,
                "roles.emial",
                'no connector offers a role "emial"',
                'Did you mean "email"?',
            ),
            ("[roles]\nfax = 1", 6, "roles.fax", 'no connector offers a role "fax"', ROLES),
            ("[roles]\nchat = 1", 6, "roles.chat", "should be the name of a connection, in quotes", ""),
            (
                f"[connections]\n{HUB}{GHL}",
                0,
                "roles",
                '2 connections offer crm: "hub", "ghl"',
                'say which one workflows get:  [roles]  crm = "hub"',
            ),
            (
                '[roles]\ncrm = "ghl"',
                6,
                "roles.crm",
                'there is no connection "ghl"',
                'declare it:  [connections]  ghl = { connector = "..." }',
            ),
            # Records
            (
                f'[connections]\n{GHL}[records.invoice]\nsystem_of_record = "gohighlevel"',
                8,
                "records.invoice.system_of_record",
                'there is no connection "gohighlevel"',
                'Did you mean "ghl" (connector gohighlevel)?',
            ),
            (
                f'[connections]\n{SLACK}[records.contact]\nsystem_of_record = "slack"',
                8,
                "records.contact.system_of_record",
                'connection "slack" (connector slack) offers chat, not crm',
                "crm is offered by: mainstay",
            ),
            (
                '[records.contact]\nmirrors = ["sheet"]',
                6,
                "records.contact.mirrors[0]",
                'there is no connection "sheet"',
                "Declared: mainstay.",
            ),
            (
                f'[connections]\n{HUB}[records.contact]\nmirrors = ["hub"]',
                8,
                "records.contact.mirrors[0]",
                '"hub" is the system of record, which needs no mirror',
                "take it out of mirrors",
            ),
            (
                (
                    f'[connections]\n{HUB}[roles]\ncrm = "mainstay"\n[records.contact]\nmirrors = ["hub"]\n'
                    '[mirrors.hub]\ntable = "People"'
                ),
                10,
                "records.contact.mirrors[0]",
                '"hub" is a CRM, which has no table and no columns',
                "its fields are mapped in [connections]",
            ),
            (
                (
                    f'[connections]\n{HUB}[roles]\ncrm = "mainstay"\n[records.contact]\nmirrors = ["copy"]\n'
                    '[mirrors.copy]\nconnection = "hub"'
                ),
                12,
                "mirrors.copy.connection",
                '"hub" is a CRM, and a mirror in a CRM has the name of its connection',
                'write  mirrors = ["hub"]  and [mirrors.hub]',
            ),
            (
                f'[connections]\n{SLACK}[records.contact]\nmirrors = ["slack"]',
                8,
                "records.contact.mirrors[0]",
                'connection "slack" (connector slack) offers chat, not table',
                "declare a connection that offers table",
            ),
            (
                '[records.invoice]\nmirrors = ["sheet"]',
                6,
                "records.invoice.mirrors[0]",
                'there is no connection "sheet"',
                "Declared: mainstay.",
            ),
            (
                '[mirrors.sheet]\ntable = "Contacts"',
                5,
                "mirrors.sheet",
                "no record names this mirror",
                'name it:  [records.contact]  mirrors = ["sheet"]',
            ),
            (
                (
                    f'[connections]\n{SHEET}[records.contact]\nmirrors = ["sheet"]\n'
                    '[mirrors.sheet]\ncolumns = { "Mail" = "emial" }'
                ),
                10,
                "mirrors.sheet.columns.Mail",
                'a contact has no field "emial"',
                'Did you mean "email"?',
            ),
            (
                (
                    f'[connections]\n{SHEET}[records.invoice]\nmirrors = ["sheet"]\n'
                    '[mirrors.sheet]\ncolumns = { "Mail" = "email" }'
                ),
                10,
                "mirrors.sheet.columns.Mail",
                'an invoice has no field "email"',
                (
                    "Known: contact.email, contact.name, contact.phone, currency, due, number, paid, reference, "
                    "status, total, url, or custom. and a field of yours."
                ),
            ),
            (
                f'[connections]\n{SHEET}[records.contact]\nmirrors = ["sheet"]\n[records.deal]\nmirrors = ["sheet"]',
                10,
                "records.deal.mirrors[0]",
                "sheet is a mirror of contact already",
                'give it a name of its own:  mirrors = ["sheet_deal"]  and  [mirrors.sheet_deal]  connection = "sheet"',
            ),
            (
                (
                    f'[connections]\n{SHEET}[records.contact]\nmirrors = ["sheet"]\n'
                    '[records.deal]\nmirrors = ["deals"]\n[mirrors.deals]\nconnection = "sheet"\ntable = "Contacts"'
                ),
                11,
                "mirrors.deals",
                'it is in the same place as sheet: the table "Contacts" of sheet',
                "give one another table",
            ),
            (
                '[records.contact]\nmirrors = ["sheet"]\n[mirrors.sheet]\nevery = "1s"',
                8,
                "mirrors.sheet.every",
                'five seconds at the least: every = "1m"',
                "",
            ),
            (
                '[records.contact]\nidentity = { primary = "fax" }',
                6,
                "records.contact.identity.primary",
                'should be "email" or "phone"',
                "",
            ),
            (
                "[records.contact.identity]\nsuggest = 0.2",
                6,
                "records.contact.identity.suggest",
                'a probability from 0.5 to 1, or "off": suggest = 0.7',
                "",
            ),
            (
                "[records.contacts]\n",
                5,
                "records.contacts",
                'there is no key "contacts" here',
                'Did you mean "contact"?',
            ),
            # Sources
            (
                '[sources.a]\nkind = "fom"',
                6,
                "sources.a.kind",
                'there is no kind "fom"',
                'Did you mean "form"?',
            ),
            (
                '[sources.a]\nkind = "form"\nmap = { emial = "x" }',
                5,
                "sources.a",
                (
                    'map has no target "emial". Did you mean "email"? Targets: email, phone, name, first_name, '
                    "last_name, company, source, tags, occurred_at, do_not_contact, consent and custom.KEY."
                ),
                "",
            ),
            (
                '[sources.a]\nkind = "form"\nmap = { email = 3 }',
                7,
                "sources.a.map.email",
                "should be a text in quotes or a list in brackets",
                "",
            ),
            (
                '[sources.a]\nkind = "form"\nrecord = "contcat"',
                7,
                "sources.a.record",
                "there is no such type of record",
                'Did you mean "contact"?',
            ),
            (
                '[sources.a]\nkind = "form"\nmax_bytes = 0',
                7,
                "sources.a.max_bytes",
                "should be more than 0",
                "",
            ),
            (
                '[sources.a]\nkind = "form"\nrepeat_window = "soon"',
                7,
                "sources.a.repeat_window",
                'should be a duration, like "10m", "1h 30m", or seconds',
                "",
            ),
            (
                f'[connections]\n{GHL}{HUB_SOURCE}connection = "ghl"',
                10,
                "sources.h.connection",
                'connection "ghl" is GoHighLevel, and this source is HubSpot',
                'name a connection with connector = "hubspot"',
            ),
            # Alerts
            (
                '[alerts]\ncritical = [\n  "slack",\n]',
                7,
                "alerts.critical[0]",
                '"slack" begins with no connection and no role',
                'Write a connection or role, and whom: "slack" or "email:ops@acme.example".',
            ),
            (
                f'[connections]\n{MAIL}[alerts]\nother = ["email"]',
                8,
                "alerts.other[0]",
                '"email" names no address',
                'write whom to mail, like "email:ops@acme.example"',
            ),
            (
                f'[connections]\n{GHL}[alerts]\nother = ["ghl"]',
                8,
                "alerts.other[0]",
                'connection "ghl" (connector gohighlevel) cannot carry an alert',
                "alerts go by chat, email, sms, pager or layer (a signed webhook)",
            ),
            (
                '[alerts]\nreview = "Mon"',
                6,
                "alerts.review",
                '"Mon" is no weekly time; write a day and a time, like "Mon 08:00"',
                "",
            ),
            (
                "[alerts]\nother = [3]",
                6,
                "alerts.other[0]",
                "should be a channel in quotes, or a list of those that are told together",
                "",
            ),
            (
                f'[connections]\n{MAIL}[alerts]\ncritical = [["email:ops@acme.example", "mail"]]',
                8,
                "alerts.critical[0][1]",
                '"mail" names no address',
                'write whom to mail, like "mail:ops@acme.example"',
            ),
            (
                '[alerts]\nquiet = "22-7"',
                6,
                "alerts.quiet",
                (
                    '"22-7" is no span of time; write it by the 24-hour clock, like 08:00-18:00; '
                    'or for every night just "22:00-07:00"'
                ),
                "",
            ),
            (
                '[alerts]\ndigest = "2d"',
                6,
                "alerts.digest",
                'a day at the most: "4m", "1h"; "0s" tells each at once',
                "",
            ),
            (
                '[alerts]\nescalate_after = "5s"',
                6,
                "alerts.escalate_after",
                'from a minute to a day: "5m", "1h"',
                "",
            ),
            # Elsewhere and the whole
            (
                '[[elsewhere]]\nname = "x"\nplatform = "make"\ntrigger = "created"',
                8,
                "elsewhere[0].trigger",
                "an event type is noun.verb, for example deal.stage_changed",
                "",
            ),
            (
                '[elsewhere]\nname = "x"',
                5,
                "elsewhere",
                "should be a list of tables",
                "write [[elsewhere]], with two brackets",
            ),
            (
                "[source.a]\n",
                5,
                "source",
                'there is no section "source"',
                'Did you mean "sources"?',
            ),
            # The workspace, which brings its own four lines
            (
                of_workspace('timezone = "America/Chigaco"'),
                3,
                "workspace.timezone",
                'there is no such time zone. Did you mean "America/Chicago"?',
                "",
            ),
            (
                of_workspace('timezone = "../etc"'),
                3,
                "workspace.timezone",
                'there is no such time zone. Write a name like "America/Chicago".',
                "",
            ),
            (
                of_workspace('region = "UK"'),
                4,
                "workspace.region",
                'there is no such region of phone numbers. Did you mean "GB"?',
                "",
            ),
            (
                of_workspace('hours = "9 to 5"'),
                5,
                "workspace.hours",
                '"9 to 5" is no day with times; write hours like "Mon-Fri 08:00-18:00, Sat 09:00-13:00"',
                "",
            ),
            (
                of_workspace('slug = "Acme Plumbing"'),
                5,
                "workspace.slug",
                'a slug is lower-case letters, digits and hyphens, 48 at most; for example "acme-plumbing"',
                "",
            ),
            (
                of_workspace('name = "水道"'),
                1,
                "workspace",
                'no slug can be made from the name: add one in plain letters, like slug = "acme"',
                "",
            ),
            (of_workspace('name = ""'), 2, "workspace.name", "should not be empty", ""),
            (
                '[workspace]\nname = "Acme"\ntimezone = "UTC"',
                1,
                "workspace.region",
                "region is missing",
                'How local phone numbers are read, as two letters: region = "US"',
            ),
        ]
    ],
)
def test_one_mistake_gives_one_problem(
    refuse: Refuse, text: str, where: int, key: str, message: str, hint: str
) -> None:
    place = f"stack.toml:{where}" if where else "stack.toml"
    assert refuse(text) == [Problem(place, key, message, hint)]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(refuse: Refuse) -> None:
    text = WHOLE.replace('"us"', '"USA"').replace("${GHL_TOKEN}", "pit-secret").replace('crm = "ghl"', 'crm = "mail"')
    text = text.replace("review ", "reviw ").replace('kind   = "form"', 'kind   = "froms"')
    text = text.replace('system_of_record = "ghl"\nmirrors', 'system_of_record = "hgl"\nmirrors')
    problems = refuse(text)
    assert [(each.where, each.key) for each in problems] == [
        ("stack.toml:5", "workspace.region"),
        ("stack.toml:9", "connections.ghl.token"),
        ("stack.toml:14", "roles.crm"),
        ("stack.toml:19", "records.contact.system_of_record"),
        ("stack.toml:26", "sources.website.kind"),
        ("stack.toml:40", "alerts.reviw"),
    ]
    assert "pit-secret" not in "\n".join(map(str, problems))


def test_it_reads_like_this(refuse: Refuse) -> None:
    (problem,) = refuse(f'[connections]\n{GHL}[records.invoice]\nsystem_of_record = "gohighlevel"')
    assert str(problem) == (
        "stack.toml:8  records.invoice.system_of_record\n"
        '    there is no connection "gohighlevel"\n'
        '    Did you mean "ghl" (connector gohighlevel)?'
    )


def test_an_unset_name_close_to_one_in_dotenv_is_suggested(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HUB_TOKN=x\n")
    with pytest.raises(ConfigError) as caught:
        load('[connections]\nhub = { connector = "hubspot", token = "${HUB_TOKEN}" }')
    assert [each.hint for each in caught.value.problems] == [
        f'Did you mean "HUB_TOKN"? Else {UNSET.format("HUB_TOKEN")}'
    ]


def test_a_secret_file_that_is_gone_is_told_at_the_key(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HUB_TOKEN_FILE=gone\n")
    with pytest.raises(ConfigError) as caught:
        load('[connections]\nhub = { connector = "hubspot", token = "${HUB_TOKEN}" }')
    (problem,) = caught.value.problems
    assert (problem.where, problem.key) == ("stack.toml:6", "connections.hub.token")
    assert problem.message == 'HUB_TOKEN cannot be had: the file "gone" cannot be read: No such file or directory'


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[workspace]\nname = Acme\n", "stack.toml:2", "this is not valid TOML: invalid value"),
        ("a = 1\na = 2\n", "stack.toml:2", "this is not valid TOML: cannot overwrite a value"),
        ('a = "s3cret\n', "stack.toml:1", "this is not valid TOML: illegal character '\\n'"),
        ("b = 1\na = [1,\n\n", "stack.toml:2", "this is not valid TOML: "),
        ("a = " + "[" * 5000 + "]" * 5000, "stack.toml", "is nested too deep"),
        ("a = " + "[" * 60 + "]" * 60, "stack.toml", "is nested more than 30 levels deep"),
        (".".join("a" * 3000) + " = 1", "stack.toml", "is nested more than 30 levels deep"),
        ("a = 1" + "0" * 5000, "stack.toml", "this is not valid TOML: "),
    ],
)
def test_toml_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, where: str, message: str) -> None:
    (tmp_path / "stack.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Document(tmp_path / "stack.toml", Environment.load(tmp_path, {}))
    (problem,) = caught.value.problems
    assert problem.where == where
    assert problem.message.startswith(message)
    assert "s3cret" not in str(problem)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="the file is not UTF-8 text"):
        Document(tmp_path / "stack.toml", Environment.load(tmp_path, {}))
