"""The letter: every word of others is text in it, whatever it holds."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mainstay.kit.roles import EmailMessage
from mainstay.weekly.letter import duration, letter_of

ROOT = "https://mainstay.example/w/acme"
REVIEW: dict[str, Any] = {
    "week": "2026-W48", "words": "23 to 29 November 2026", "leads": 1, "accepted": 1250, "before": 1000, "done": 2400,
    "failed": 0, "saved": 17, "prevented": 4, "contacts": 980,
    "sources": [{"source": "website", "accepted": 1250, "before": 1000, "repeated": 4, "rejected": 0}],
    "causes": [], "slow": [], "look": [],
}  # fmt: skip


class Words(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert all(not name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_quiet_week() -> None:
    letter = letter_of(REVIEW, "Acme Plumbing", ROOT)
    assert letter.subject == "Acme Plumbing: 1 lead, 0 failed runs in the week of 23 to 29 November 2026"
    for text in (letter.text, Words(letter.html).words):
        for wanted in ("Nothing: all went well.", "Nothing failed.", "+25 %", "runs saved by retries", "4 repeated"):
            assert wanted in text
    assert f"{ROOT}/weeks/2026-W48" in letter.text
    assert "Slowest" not in letter.text


def test_lengths_are_told_as_people_do() -> None:
    assert [duration(each) for each in (0, 999, 1500, 90_000)] == ["0 ms", "999 ms", "1.5 s", "1.5 min"]


@given(st.text(max_size=80), st.text(max_size=40))
def test_words_of_others_are_only_text(error: str, name: str) -> None:
    attack = f'{error}"><script>alert(1)</script><img src=x onerror=y>'
    cause = {"incident_id": str(UUID(int=1)), "title": attack, "cause": error, "runs": 2, "is_open": True}
    slow = {"step": name, "connection": attack, "workflow": name, "median_ms": 1, "slow_ms": 2}
    source = REVIEW["sources"][0] | {"source": attack}
    letter = letter_of(
        REVIEW | {"causes": [cause], "slow": [slow], "sources": [source], "look": [[attack, "runs"]]}, name, ROOT
    )
    found = Words(letter.html)
    assert found.tags <= {"html", "head", "meta", "body", "h1", "h2", "p", "table", "tr", "td", "b", "a"}
    assert "alert(1)" in found.words
    EmailMessage("dana@acme.example", letter.subject, letter.text, letter.html).require_sendable()
