"""Sealing of tokens: whoever has the database alone cannot read them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mainstay.errors import ConfigError, Problem

VARIABLE = "MAINSTAY_SECRET_KEY"
FILE = "secret.key"
_MADE_BY = f"make one:  openssl rand -base64 32  and put it into .env as {VARIABLE}"


class WrongKeyError(Exception):
    """What was sealed cannot be opened with the keys that are here."""


class Keys:
    """The keys that seal: the first seals, each opens. Without given ones a file in ``home`` holds one.

    The file is made when something is first sealed, readable by its owner alone. Without ``home`` the key lives as
    long as this object.
    """

    def __init__(self, given: Sequence[str] = (), home: Path | None = None) -> None:
        self._file = home / FILE if home is not None and not given else None
        self._fernet: MultiFernet | None = None
        if given:
            self._fernet = MultiFernet([_fernet(key, VARIABLE) for key in given])
        elif home is None:
            self._fernet = MultiFernet([Fernet(Fernet.generate_key())])

    def __repr__(self) -> str:
        return "Keys()"

    def seal(self, text: str, purpose: str) -> str:
        """Seal a text; it opens for the same ``purpose`` alone. An empty text stays empty.

        Raises:
            ConfigError: the key's file cannot be made or read.
        """
        if not text:
            return ""
        return self._keys(make=True).encrypt(f"{purpose}\0{text}".encode()).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Return what was sealed.

        Raises:
            WrongKeyError: none of the keys opens it, there is none, or it was sealed for something else.
            ConfigError: the key's file cannot be read.
        """
        if not sealed:
            return ""
        try:
            opened = self._keys(make=False).decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise WrongKeyError from None
        told, _, text = opened.partition("\0")
        if told != purpose:
            raise WrongKeyError
        return text

    def _keys(self, *, make: bool) -> MultiFernet:
        if self._fernet is None:
            assert self._file is not None  # noqa: S101 - else there is a key from the beginning
            if not self._file.exists():
                if not make:
                    raise WrongKeyError
                _make(self._file)
            try:
                key = self._file.read_text(encoding="ascii").strip()
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is no text"
                raise ConfigError(Problem(str(self._file), "", f"the key cannot be read: {reason}")) from None
            self._fernet = MultiFernet([_fernet(key, str(self._file))])
        return self._fernet


def _fernet(key: str, where: str) -> Fernet:
    try:
        # As openssl writes it, or as Fernet does.
        return Fernet(key.replace("+", "-").replace("/", "_"))
    except ValueError:
        raise ConfigError(Problem(where, VARIABLE, "is not a key of 32 bytes in base64", _MADE_BY)) from None


def _make(file: Path) -> None:
    """Make the file whole or not at all; of several processes one makes it."""
    beside = file.with_name(f"{FILE}.{token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(Fernet.generate_key() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                os.link(beside, file)
        finally:
            beside.unlink()
    except OSError as error:
        problem = Problem(str(file), "", f"the key that seals tokens cannot be kept: {error.strerror}", _MADE_BY)
        raise ConfigError(problem) from None
