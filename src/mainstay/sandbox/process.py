"""The sandbox in a process of its own."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import IO, Self

from mainstay.sandbox.client import AsyncSandbox, Sandbox, SandboxError


class SandboxProcess:
    """Starts ``python -m mainstay.sandbox`` and stops it.

    ::

        with SandboxProcess() as vendors:
            vendors.url("gohighlevel")  # http://127.0.0.1:41234/gohighlevel
            vendors.sandbox.set_fault("gohighlevel", "status", status=429, retry_after=1, count=2)

    The process also ends by itself when the one that started it ends, even by SIGKILL.
    """

    def __init__(self, *, port: int = 0, smtp_port: int = 0, keep_requests: int = 2000) -> None:
        """Name the ports (0: a free one) and how many requests of each vendor are kept. Nothing runs yet."""
        self._arguments = ["--port", str(port), "--smtp-port", str(smtp_port), "--keep-requests", str(keep_requests)]
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._ports: dict[str, int] = {}

    def start(self, timeout: float = 60.0) -> Self:
        """Start and wait until it listens, at most ``timeout`` seconds. Raises ``SandboxError`` when it does not."""
        if self._process is not None:
            raise SandboxError("the sandbox has been started already: stop it first")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 closed in stop
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mainstay.sandbox", "--until-stdin-closes", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        try:
            self._ports = json.loads(self._first_line(timeout))
        except (ValueError, TimeoutError):
            reason = self._said()
            self.stop()
            message = f"the sandbox did not start within {timeout:g} s: {reason or 'it said nothing'}"
            raise SandboxError(message) from None
        return self

    def stop(self) -> None:
        """Stop it and wait until it is gone; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, self._errors):
            if stream is not None:
                stream.close()

    @property
    def pid(self) -> int:
        """The process's id. Raises ``SandboxError`` when it does not run."""
        return self._running().pid

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        self._running()
        return f"http://127.0.0.1:{self._ports['http']}"

    @property
    def smtp_port(self) -> int:
        """The port of the SMTP server on 127.0.0.1."""
        self._running()
        return self._ports["smtp"]

    @property
    def sandbox(self) -> Sandbox:
        """The control client."""
        return Sandbox(self.base_url)

    @property
    def aio(self) -> AsyncSandbox:
        """The control client for async code."""
        return AsyncSandbox(self.sandbox)

    def url(self, vendor: str) -> str:
        """Return a vendor's base URL, as ``Sandbox.url`` does."""
        return self.sandbox.url(vendor)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SandboxError("the sandbox does not run: call start(), or use it in a with statement")
        return self._process

    def _first_line(self, timeout: float) -> bytes:
        stdout = self._running().stdout
        if stdout is None:
            raise SandboxError("the sandbox was started without a pipe to hear from it")
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                raise TimeoutError
        return stdout.readline()

    def _said(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-2000:]
