"""A mail server over real SMTP that answers as a test lays down and keeps every message."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DROP = "drop"
HANG = "hang"


@dataclass
class MailServer:
    """``replies`` maps a verb (and ``BODY``, ``GREETING``) to a reply, ``DROP`` or ``HANG``; the rest goes well."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    verbs: list[str] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going = await self._reply(writer, "GREETING", "220 mail.test ESMTP")
        while going and (line := (await reader.readline()).decode().strip()):
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            self.verbs.append(verb)
            if verb == "EHLO":
                lines = ["mail.test", *self.extensions]
                text = "\r\n".join(f"250{'-' if n < len(lines) else ' '}{x}" for n, x in enumerate(lines, 1))
                going = await self._reply(writer, verb, text)
            elif verb == "STARTTLS":
                going = await self._reply(writer, verb, "220 go ahead")
                if going and self.tls and verb not in self.replies:
                    await writer.start_tls(self.tls)
            elif verb == "AUTH":
                _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                self.logins.append((name, password, writer.get_extra_info("sslcontext") is not None))
                going = await self._reply(writer, verb, "235 welcome")
            elif verb == "DATA":
                going = await self._reply(writer, verb, "354 go on")
                if going and verb not in self.replies:
                    self.messages.append((await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n"))
                    going = await self._reply(writer, "BODY", "250 queued as 7F3A")
            elif verb == "QUIT":
                await self._reply(writer, verb, "221 bye")
                return
            else:
                going = await self._reply(writer, verb, "250 ok")

    async def _reply(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        reply = self.replies.get(verb, usual)
        if reply == HANG:
            await self.released.wait()
        if reply in {HANG, DROP}:
            return False
        writer.write(f"{reply}\r\n".encode())
        await writer.drain()
        return True


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    server = MailServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    server.released.set()
    listener.close()
    await listener.wait_closed()


@pytest.fixture
async def mail_over_tls(certificate: ssl.SSLContext) -> AsyncIterator[MailServer]:
    server = MailServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=certificate)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()
    await listener.wait_closed()


@pytest.fixture(scope="session")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def certificate(certificate_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file)
    return context


@pytest.fixture
def trusted(certificate_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
