"""At which level of a stack the terms of a call are said, and which of them stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mainstay import ConfigError, Retry
from mainstay.engine.guard import Terms
from mainstay.engine.retry import RetryPolicy
from mainstay.model import Promise
from mainstay.settings.environment import Environment
from mainstay.settings.retrying import terms_of
from mainstay.settings.stack import Stack, load_stack

STACK = """
[workspace]
name = "Acme Plumbing"
timezone = "America/Chicago"
region = "US"
[connections]
slack = { connector = "slack", token = "${TOKEN}"%s }
mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
%s
"""


def load(folder: Path, connection: str = "", tables: str = "") -> Stack:
    (folder / "stack.toml").write_text(STACK % (connection, tables))
    return load_stack(folder, Environment.load(folder, {"TOKEN": "xoxb-1"}))


CALL, WORKFLOW = Retry(give_up="1m"), Retry(give_up="2m")
ROLE, CONNECTION, DEFAULT = (
    '[retries.chat]\ngive_up = "3m"',
    ', retry = { give_up = "4m" }',
    '[retries.default]\ngive_up = "5m"',
)


@pytest.mark.parametrize(
    ("said", "role", "connection", "stack", "minutes"),
    [
        ([CALL, WORKFLOW], ROLE, CONNECTION, DEFAULT, 1),
        ([WORKFLOW], ROLE, CONNECTION, DEFAULT, 2),
        ([], ROLE, CONNECTION, DEFAULT, 3),
        ([], "", CONNECTION, DEFAULT, 4),
        ([], "", "", DEFAULT, 5),
        ([], "", "", "", 24 * 60),
    ],
)
def test_the_narrowest_wins(
    said: list[Retry], role: str, connection: str, stack: str, minutes: int, tmp_path: Path
) -> None:
    loaded = load(tmp_path, connection, f"{role}\n{stack}")
    terms = terms_of(loaded, "slack", "chat.post", said)
    assert terms.policy.give_up == timedelta(minutes=minutes)
    of_another = terms_of(loaded, "mail", "email.send", [])
    assert of_another.policy.give_up == (timedelta(minutes=5) if stack else timedelta(days=1))


def test_a_level_says_what_it_says_and_no_more(tmp_path: Path) -> None:
    loaded = load(tmp_path, ', retry = { first = "5s" }', '[retries.default]\nlongest = "10m"\non_unsure = "ask"')
    terms = terms_of(loaded, "slack", "chat.post", [Retry(on_unsure="repeat")])
    assert terms == Terms(
        RetryPolicy(timedelta(seconds=5), timedelta(minutes=10), timedelta(hours=24)),
        on_unsure="repeat",
        promise=Promise.LOOKUP,
        lookup_after=timedelta(seconds=5),
    )
    assert terms_of(loaded, "slack", "chat.post", []).on_unsure == "ask"


@pytest.mark.parametrize(
    ("connection", "name", "said", "promise"),
    [
        ("mail", "email.send", [], Promise.LOOKUP),
        ("mail", "email.unheard_of", [], Promise.NONE),
        ("source:facebook", "source.fetch", [], Promise.STATE),
        ("", "look up", [], Promise.UNSAID),
        ("", "charge", [Retry(on_unsure="ask")], Promise.NONE),
        ("", "charge", [Retry(give_up="1m")], Promise.UNSAID),
    ],
)
def test_what_a_repeat_does(connection: str, name: str, said: list[Retry], promise: Promise, tmp_path: Path) -> None:
    assert terms_of(load(tmp_path), connection, name, said).promise is promise


@pytest.mark.parametrize(
    ("connection", "tables", "key", "says"),
    [
        ("", '[retries.chatt]\nfirst = "1s"', "retries.chatt", 'Did you mean "chat"?'),
        ("", '[retries.voice]\nfirst = "1s"', "retries.voice", "this is no role of the stack"),
        ("", '[retries.default]\nfirst = "soon"', "retries.default.first", "should be a duration"),
        ("", '[retries.default]\nfirst = "0s"', "retries.default", "first is 0.1 seconds or more"),
        ("", '[retries.default]\nfist = "1s"', "retries.default.fist", 'Did you mean "first"?'),
        ("", '[retries.default]\non_unsure = "guess"', "retries.default.on_unsure", "repeat"),
        ("", "[retries]\ndefault = 5", "retries.default", "should be a table"),
        (', retry = { longest = "1 hour" }', "", "connections.slack.retry.longest", "should be a duration"),
        (', retry = "never"', "", "connections.slack.retry", "should be a table"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(connection: str, tables: str, key: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, connection, tables)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert says in str(problem)
