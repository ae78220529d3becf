from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstay.insight import Saying
from mainstay.model import new_id
from mainstay.web import contact_wording, wording


@pytest.mark.parametrize(
    ("kind", "source", "words"),
    [
        ("form", "website", "from website"),
        ("crm", "ghl", "from ghl"),
        ("form", "", "from an unnamed source"),
        ("manual", "by hand", "set by hand"),
        ("manual", "Dana", "set by hand by Dana"),
        ("merge", "Dana", "kept when merging by Dana"),
        ("merge", "by hand", "kept when merging"),
    ],
)
def test_whose_word_a_value_is(kind: str, source: str, words: str) -> None:
    assert contact_wording.said_by(Saying("x", "", source, kind, datetime.now(UTC), new_id(), None, None)) == words


@pytest.mark.parametrize(
    ("rule", "by", "note", "words"),
    [
        ("by hand", "by hand", "", "by hand"),
        ("by hand", "Dana", "", "by hand, Dana"),
        ("bridge", "", "", "one write named both"),
        ("bridge", "", "website: one write names both", "website: one write names both"),
        ("suggestion accepted", "Dana", "", "review accepted by Dana"),
        ("suggestion accepted", "by hand", "", "review accepted"),
        ("likely", "", "", "likely"),
    ],
)
def test_why_two_became_one(rule: str, by: str, note: str, words: str) -> None:
    assert wording.merge_reason(rule, by, note) == words


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sarah@birch.example", "sarah@birch.example"),
        ("info@xn--mller-kva.example", "info@müller.example"),
        ("info@xn--a.example", "info@xn--a.example"),
        ("", ""),
        ("ü@x.example", "ü@x.example"),
    ],
)
def test_an_address_is_shown_as_its_owner_writes_it(address: str, shown: str) -> None:
    assert wording.email(address) == shown


@pytest.mark.parametrize(("score", "shown"), [(0.0, "1 %"), (0.614, "61 %"), (0.999, "99 %"), (1.0, "99 %")])
def test_a_probability_is_never_a_certainty(score: float, shown: str) -> None:
    assert wording.percent(score) == shown


def test_phone_numbers_in_a_sentence() -> None:
    text = "shared: +13125550160; +442071838750 too, +12 not"
    assert wording.prose(text, "US") == "shared: (312) 555-0160; +44 20 7183 8750 too, +12 not"


def test_changed_fields_in_words() -> None:
    before = {"phone": "+13125550147", "do_not_contact": False, "tags": [], "custom": {"Budget": "1", "Room": "2"}}
    after = {"phone": "", "do_not_contact": True, "tags": ["vip", "lead"], "custom": {"Budget": "3", "Room": "2"}}
    assert wording.changed_fields(before, after, "US") == [
        ("phone", "(312) 555-0147", ""),
        ("tags", "", "vip, lead"),
        ("Budget", "1", "3"),
        ("do not contact", "no", "yes"),
    ]
