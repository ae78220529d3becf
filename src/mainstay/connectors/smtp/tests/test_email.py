from __future__ import annotations

import json
import ssl
import traceback
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage as MimeMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.smtp import CONNECTOR
from mainstay.connectors.smtp.email import SmtpEmail, http_settings
from mainstay.connectors.smtp.settings import SmtpConnection
from mainstay.errors import VendorError
from mainstay.kit import EmailMessage, Http, NeedsHumanError, PermanentError, TransientError
from mainstay.kit.http import open_session

if TYPE_CHECKING:
    # Named for the types alone: pytest gives its objects as fixtures.
    from mainstay.connectors.smtp.tests.conftest import MailServer

PASSWORD = "sample-app-password"
KEY = "0193b2c4-7a10-7abc-9def-0123456789ab/2"
MAIL = EmailMessage("zoe@lead.example", "Grüße, Zoë 李", "Hello,\n.a line that starts with a dot\nZoë")


def settings(port: int = 0, **keys: Any) -> SmtpConnection:
    filled = {"connector": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "from": "hello@acme.example"}
    return SmtpConnection.model_validate(filled | keys)


class Outcome:
    """What one attempt left behind."""

    id: str
    exchanges: list[dict[str, Any]]
    error: VendorError

    @property
    def kept(self) -> str:
        said = "".join(traceback.format_exception(self.error)) if hasattr(self, "error") else ""
        return json.dumps(self.exchanges, ensure_ascii=False) + said


async def send(
    connection: SmtpConnection, message: EmailMessage = MAIL, key: str = KEY, timeout: float = 5.0
) -> Outcome:
    outcome = Outcome()
    async with open_session() as session:
        http = Http(session, replace(http_settings(connection), timeout=timeout), idempotency_key=key)
        try:
            outcome.id = (await SmtpEmail(connection, http).send(message)).id
        except VendorError as error:
            outcome.error = error
        outcome.exchanges = http.exchanges
    return outcome


def parsed(raw: bytes) -> MimeMessage:
    message = message_from_bytes(raw, policy=SMTP)
    assert isinstance(message, MimeMessage)
    return message


async def test_a_message_arrives_as_written(mail: MailServer) -> None:
    outcome = await send(settings(mail.port, **{"from": "Äcme <hello@acme.example>"}))

    message = parsed(mail.messages[0].replace(b"\r\n..", b"\r\n."))
    assert message["From"] == "Äcme <hello@acme.example>"
    assert message["To"] == "zoe@lead.example"
    assert message["Subject"] == "Grüße, Zoë 李"
    assert message["Message-ID"] == outcome.id
    assert message["Date"]
    assert message.get_content().splitlines() == MAIL.text.splitlines()
    assert mail.verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_html_and_reply_to(mail: MailServer) -> None:
    message = EmailMessage("zoe@lead.example", "Hi", "plain", html="<b>Grüße</b>", reply_to="dana@acme.example")
    await send(settings(mail.port), message)
    mime = parsed(mail.messages[0])
    assert mime["Reply-To"] == "dana@acme.example"
    assert [part.get_content_type() for part in mime.iter_parts()] == ["text/plain", "text/html"]
    html = mime.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<b>Grüße</b>"


async def test_the_message_id_is_the_same_for_every_attempt_of_a_step(mail: MailServer) -> None:
    first, second = await send(settings(mail.port)), await send(settings(mail.port))
    other, without = await send(settings(mail.port), key="another"), await send(settings(mail.port), key="")
    assert first.id == second.id
    assert first.id.endswith("@acme.example>")
    assert len({first.id, other.id, without.id}) == 3


async def test_the_exchange_is_kept_masked(mail: MailServer) -> None:
    outcome = await send(settings(mail.port), EmailMessage("zoe@lead.example", "For zoe@lead.example", "+13125550147"))
    [entry] = outcome.exchanges
    assert entry.pop("ms") >= 0
    assert entry == {
        "method": "SMTP",
        "url": f"smtp://127.0.0.1:{mail.port}",
        "request": {
            "From": "h•••@acme.example",
            "To": "z•••@lead.example",
            "Subject": "For z•••@lead.example",
            "Message-ID": outcome.id.replace(outcome.id[2:-14], "•••"),
            "text": "+13•••47",
        },
        "status": 250,
        "response": "queued as 7F3A",
    }


@pytest.mark.usefixtures("trusted")
async def test_starttls_comes_before_the_password(mail: MailServer, certificate: ssl.SSLContext) -> None:
    mail.tls = certificate
    mail.extensions = ("STARTTLS", "AUTH PLAIN")
    outcome = await send(settings(mail.port, security="starttls", username="hello", password=PASSWORD))
    assert mail.logins == [("hello", PASSWORD, True)]
    assert len(mail.messages) == 1
    assert PASSWORD not in outcome.kept


@pytest.mark.usefixtures("trusted")
async def test_tls_from_the_first_byte(mail_over_tls: MailServer) -> None:
    mail_over_tls.extensions = ("AUTH PLAIN",)
    await send(settings(mail_over_tls.port, security="tls", username="hello", password=PASSWORD))
    assert mail_over_tls.logins == [("hello", PASSWORD, True)]
    assert len(mail_over_tls.messages) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(mail: MailServer, certificate: ssl.SSLContext) -> None:
    mail.tls = certificate
    mail.extensions = ("STARTTLS", "AUTH PLAIN")
    outcome = await send(settings(mail.port, security="starttls", username="hello", password=PASSWORD))
    assert isinstance(outcome.error, TransientError)
    assert not outcome.error.unsure
    assert "certificate verify failed" in str(outcome.error)
    assert mail.logins == []


async def test_no_starttls_is_never_passed_over_in_silence(mail: MailServer) -> None:
    mail.extensions = ("AUTH PLAIN",)
    outcome = await send(settings(mail.port, security="starttls", username="hello", password=PASSWORD))
    assert isinstance(outcome.error, NeedsHumanError)
    assert "STARTTLS" in str(outcome.error)
    assert mail.logins == []
    assert mail.messages == []


@pytest.mark.parametrize("reply", ["535 5.7.8 Username and Password not accepted", "534 app password required"])
async def test_refused_credentials_need_a_human(mail: MailServer, reply: str) -> None:
    mail.extensions = ("AUTH PLAIN",)
    mail.replies["AUTH"] = f"{reply} {PASSWORD}"
    outcome = await send(settings(mail.port, username="hello", password=PASSWORD))
    assert isinstance(outcome.error, NeedsHumanError)
    assert "check username and password" in str(outcome.error)
    assert PASSWORD not in outcome.kept


async def test_a_login_that_fails_for_now_is_transient(mail: MailServer) -> None:
    mail.extensions = ("AUTH PLAIN",)
    mail.replies["AUTH"] = "454 4.7.0 Temporary authentication failure"
    outcome = await send(settings(mail.port, username="hello", password=PASSWORD))
    assert isinstance(outcome.error, TransientError)


async def test_a_server_without_login_needs_a_human(mail: MailServer) -> None:
    outcome = await send(settings(mail.port, username="hello", password=PASSWORD))
    assert isinstance(outcome.error, NeedsHumanError)
    assert "AUTH" in str(outcome.error)


@pytest.mark.parametrize(
    ("verb", "reply", "fate"),
    [
        ("GREETING", "421 too many connections", "transient"),
        ("GREETING", "554 no service for you", "permanent"),
        ("MAIL", "451 try later", "transient"),
        ("MAIL", "550 sender not allowed", "permanent"),
        ("MAIL", "530 5.7.0 authentication required", "human"),
        ("RCPT", "450 greylisted", "transient"),
        ("RCPT", "550 no such user zoe@lead.example", "permanent"),
        ("DATA", "452 out of storage", "transient"),
        ("DATA", "554 no", "permanent"),
        ("BODY", "451 try later", "transient"),
        ("BODY", "554 looks like spam", "permanent"),
    ],
)
async def test_refusals(mail: MailServer, verb: str, reply: str, fate: str) -> None:
    mail.replies[verb] = reply
    outcome = await send(settings(mail.port))
    assert outcome.error.fate == fate
    assert outcome.error.status == int(reply[:3])
    assert not outcome.error.unsure
    assert str(outcome.error).startswith(f"SMTP {reply[:3]}: ")
    assert outcome.exchanges[0]["status"] == int(reply[:3])
    assert "zoe@" not in outcome.kept


@pytest.mark.parametrize(("verb", "unsure"), [("GREETING", False), ("EHLO", False), ("BODY", True)])
@pytest.mark.parametrize("how", ["drop", "hang"])
async def test_silence_and_broken_connections(mail: MailServer, verb: str, how: str, unsure: bool) -> None:
    mail.replies[verb] = how
    if verb == "EHLO":
        mail.extensions = ("AUTH PLAIN",)
    login = {"username": "hello", "password": PASSWORD} if verb == "EHLO" else {}
    outcome = await send(settings(mail.port, **login), timeout=1.5 if how == "hang" else 5.0)
    assert isinstance(outcome.error, TransientError)
    assert outcome.error.unsure is unsure
    assert outcome.exchanges[0]["error"] == str(outcome.error)


async def test_a_farewell_that_fails_changes_nothing(mail: MailServer) -> None:
    mail.replies["QUIT"] = "drop"
    outcome = await send(settings(mail.port))
    assert outcome.id
    assert outcome.exchanges[0]["status"] == 250


async def test_what_speaks_no_smtp(mail: MailServer) -> None:
    mail.replies["GREETING"] = "HTTP/1.1 400 Bad Request"
    outcome = await send(settings(mail.port))
    assert isinstance(outcome.error, TransientError)
    assert "not SMTP" in str(outcome.error)


async def test_nobody_listens() -> None:
    outcome = await send(settings(1))
    assert isinstance(outcome.error, TransientError)
    assert not outcome.error.unsure
    assert "could not connect" in str(outcome.error)


async def test_an_address_beyond_ascii_where_the_server_cannot(mail: MailServer) -> None:
    outcome = await send(settings(mail.port), EmailMessage("zoë@lead.example", "Hi", "x"))
    assert isinstance(outcome.error, PermanentError)
    assert "SMTPUTF8" in str(outcome.error)


@pytest.mark.parametrize(
    "message",
    [
        EmailMessage("zoe@lead.example", "Hi\r\nBcc: all@acme.example", "x"),
        EmailMessage("zoe@lead.example", "Hi\nBcc: all@acme.example", "x"),
        EmailMessage("zoe@lead.example\r\nBcc: all@acme.example", "Hi", "x"),
        EmailMessage("zoe@lead.example, all@acme.example", "Hi", "x"),
        EmailMessage("zoe@lead.example>\r\nRCPT TO:<all@acme.example", "Hi", "x"),
        EmailMessage("zoe@lead.example", "Hi", "x", reply_to="a@b.example\nBcc: all@acme.example"),
    ],
)
async def test_a_header_or_recipient_slipped_in_is_refused_before_anything_is_sent(
    mail: MailServer, message: EmailMessage
) -> None:
    outcome = await send(settings(mail.port), message)
    assert isinstance(outcome.error, PermanentError)
    assert mail.verbs == []


async def test_the_library_behind_refuses_line_breaks_too(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmailMessage, "require_sendable", lambda _message: None)
    outcome = await send(settings(mail.port), EmailMessage("zoe@lead.example", "Hi\nBcc: all@acme.example", "x"))
    assert isinstance(outcome.error, PermanentError)
    assert "the message cannot be sent" in str(outcome.error)
    assert mail.messages == []


async def test_base_url_goes_before_host_and_port(mail: MailServer) -> None:
    connection = settings(2525, host="mail.acme.example", base_url=f"smtp://127.0.0.1:{mail.port}")
    await send(connection)
    assert len(mail.messages) == 1


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_usual_ports(security: str, port: int) -> None:
    assert settings(security=security).address == ("127.0.0.1", port)
    assert http_settings(settings(security=security)).base_url == f"smtp://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"host": ""}, "host is missing"),
        ({"host": "mail.acme.example", "username": "a", "password": "b"}, "would send the password readable"),
        ({"username": "a"}, "belong together"),
        ({"password": "b"}, "belong together"),
        ({"security": "ssl"}, "starttls"),
        ({"base_url": "https://mail.acme.example"}, "smtp://"),
        ({"from": "hello"}, "is no sender"),
        ({"port": 70_000}, "port"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        settings(**keys)


def test_settings_show_no_secret() -> None:
    connection = settings(username="hello", password=PASSWORD)
    assert PASSWORD not in repr(connection) + repr(http_settings(connection))


def test_the_declaration() -> None:
    assert CONNECTOR.name == "smtp"
    assert CONNECTOR.idempotency == {"email.send": "none"}
