"""A project as ``mainstay init`` makes it, on a fresh database, and commands run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from mainstay.cli.program import program


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process; an error that is not told but thrown fails the test."""
    monkeypatch.setenv("COLUMNS", "120")

    return call


def call(*arguments: str) -> Result:
    """Run a command in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            program().main(args=list(arguments), prog_name="mainstay")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        else:
            code = 0
    return Result(code, out.getvalue(), err.getvalue())


def run_process(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> Result:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mainstay", *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def acme(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """The folder of a new project, made by ``init``, on a fresh database; the process is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", dsn)
    assert run("init", "acme").code == 0
    monkeypatch.chdir(tmp_path / "acme")
    return tmp_path / "acme"
