from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@example.com", "sarah@example.com", "Grüße"
    message["Message-ID"] = "<run-7f3a@example.com>"
    message.set_content("Hi Sarah\n.\n..two dots\n")
    message.add_alternative("<p>Hi Sarah</p>", subtype="html")
    return message


def send(process: SandboxProcess, *, timeout: float = 5) -> None:
    with smtplib.SMTP("127.0.0.1", process.smtp_port, timeout=timeout) as client:
        client.login("user", "password")
        client.send_message(mail())


def test_a_mail_is_kept_as_it_was_sent(sandbox_process: SandboxProcess, sandbox: Sandbox) -> None:
    send(sandbox_process)
    kept = sandbox.messages("smtp")[0]
    assert (kept["from"], kept["to"], kept["subject"]) == ("hello@example.com", ["sarah@example.com"], "Grüße")
    assert kept["text"].splitlines() == ["Hi Sarah", ".", "..two dots"]
    assert kept["html"].strip() == "<p>Hi Sarah</p>"
    assert sandbox.effects("smtp")[0]["correlation"] == {"Message-ID": "<run-7f3a@example.com>"}


def test_authentication_can_be_required(sandbox_process: SandboxProcess, sandbox: Sandbox) -> None:
    sandbox.configure("smtp", require_auth=True)
    with smtplib.SMTP("127.0.0.1", sandbox_process.smtp_port, timeout=5) as client:
        assert client.mail("hello@example.com")[0] == 530
    send(sandbox_process)
    assert len(sandbox.messages("smtp")) == 1


@pytest.mark.parametrize(("setting", "code"), [("refused", 550), ("deferred", 451)])
def test_a_recipient_can_be_turned_away(
    sandbox_process: SandboxProcess, sandbox: Sandbox, setting: str, code: int
) -> None:
    sandbox.configure("smtp", **{setting: ["sarah@example.com"]})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(sandbox_process)
    assert refused.value.recipients["sarah@example.com"][0] == code
    assert sandbox.messages("smtp") == []


@pytest.mark.parametrize(("method", "status"), [("MAIL", 421), ("MAIL", 550), ("DATA", 451), ("DATA", 554)])
def test_a_status_fault_is_said_and_nothing_is_kept(
    sandbox_process: SandboxProcess, sandbox: Sandbox, method: str, status: int
) -> None:
    sandbox.set_fault("smtp", "status", method=method, status=status, count=1)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(sandbox_process)
    assert refused.value.smtp_code == status
    assert sandbox.messages("smtp") == []
    send(sandbox_process)
    assert len(sandbox.messages("smtp")) == 1


def test_a_mail_taken_without_a_word_is_sent_twice_by_who_tries_again(
    sandbox_process: SandboxProcess, sandbox: Sandbox
) -> None:
    sandbox.set_fault("smtp", "drop_after", method="DATA", count=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox_process)
    send(sandbox_process)
    assert [len(group) for group in sandbox.repeated("smtp")] == [2]


def test_a_timeout_holds_the_line(sandbox_process: SandboxProcess, sandbox: Sandbox) -> None:
    sandbox.set_fault("smtp", "timeout_before", method="DATA", count=1)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(sandbox_process, timeout=0.2)
    assert sandbox.messages("smtp") == []
