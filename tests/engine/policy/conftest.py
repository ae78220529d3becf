"""Workflows as text, analysed as a start would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from mainstay.engine.policy import Analysis, Surroundings, analyse, judge
from mainstay.errors import Problem
from mainstay.settings.workflows import load_workflows

HEAD = """\
import asyncio, contextlib, functools, os, random, secrets, time, uuid
import datetime as dt
from datetime import date, datetime
from pathlib import Path
from typing import Any
from mainstay import Contact, Context, workflow
"""
LINES_BEFORE = HEAD.count("\n") + 3
"""How many lines stand before the body of a workflow of :func:`body`."""
STACK = Surroundings(
    {"crm": "mainstay", "chat": "slack"}, frozenset({"crm"}), frozenset({"crm", "chat", "email", "sms"})
)

AnalyseBody = Callable[..., Analysis]
JudgeBody = Callable[..., list[Problem]]


def write(folder: Path, text: str, before: str = "", *, mode: str = "sync", **files: str) -> None:
    """Write a folder with one workflow of this body; ``before`` stands above it, ``files`` beside it."""
    (folder / "workflows").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "workflows" / f"{name}.py").write_text(dedent(content))
    head = HEAD + dedent(before)
    declared = f'@workflow("w.v1", on="contact.created", mode="{mode}")\nasync def w(ctx: Context, contact: Contact):\n'
    (folder / "workflows" / "w.py").write_text(f"{head}\n{declared}{indent(dedent(text).strip(), '    ')}\n")


@pytest.fixture
def analyse_body(tmp_path: Path) -> AnalyseBody:
    """Analyses a workflow of this body."""

    def analysing(text: str, before: str = "", **files: str) -> Analysis:
        write(tmp_path, text, before, **files)
        (declared,) = load_workflows(tmp_path)
        return analyse(declared)

    return analysing


@pytest.fixture
def judge_body(tmp_path: Path) -> JudgeBody:
    """Judges a workflow of this body by a stack with a built-in CRM and Slack; lines count from its first."""

    def judging(
        text: str, before: str = "", *, mode: str = "sync", stack: Surroundings = STACK, **files: str
    ) -> list[Problem]:
        write(tmp_path, text, before, mode=mode, **files)
        problems, _ = judge(load_workflows(tmp_path), stack)
        return problems

    return judging
