"""Many contacts at once: as each by itself, in few calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from mainstay.kit import Contact, PermanentError, Pushed, TransientError, VendorError
from tests.connectors.crm_conformance import Bench, bench, person, sandbox
from tests.connectors.hubspot_crm import Vendor

__all__ = ["bench", "sandbox"]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture(autouse=True)
def _tag_property(bench: Bench) -> None:
    bench.sandbox.configure("hubspot", properties=["mainstay_tags"])


def people(count: int, **values: Any) -> list[Contact]:
    return [
        person(id=UUID(int=n + 1), email=f"p{n}@example.com", phone=f"+1312555{n:04}", **values) for n in range(count)
    ]


async def push(bench: Bench, contacts: list[tuple[Contact, str]], **settings: Any) -> list[Pushed | VendorError]:
    crm: Any = bench.crm(**settings)
    outcomes: list[Pushed | VendorError] = await crm.push_contacts(contacts)
    assert len(outcomes) == len(contacts)
    return outcomes


def pushed(outcomes: list[Pushed | VendorError]) -> list[Pushed]:
    assert [each for each in outcomes if isinstance(each, VendorError)] == []
    return [each for each in outcomes if isinstance(each, Pushed)]


async def test_a_hundred_new_ones_are_one_call_and_a_repeat_makes_no_second(bench: Bench) -> None:
    new = [(each, "") for each in people(103, last_name="李 Ó'Briain")]

    first, again = pushed(await push(bench, new)), pushed(await push(bench, new))

    assert await bench.calls() == 4
    assert all(each.created for each in first)
    assert [replace(each, created=False) for each in first] == again
    stored = {each.email: each for each in await bench.contacts()}
    assert len(stored) == 103
    assert [stored[contact.email].id for contact, _ in new] == [each.external_id for each in first]
    assert {each.last_name for each in stored.values()} == {"李 Ó'Briain"}


async def test_known_ones_are_updated_and_tags_are_added_to_those_that_are_there(bench: Bench) -> None:
    there = [await bench.seed(email=f"p{n}@example.com", tags=("vip",)) for n in range(4)]
    both = people(4, tags=("lead", "VIP"), first_name="Sarah")

    known = [(both[0], there[0].id), (both[1], there[1].id), (both[2], ""), (both[3], "")]
    outcomes = pushed(await push(bench, known))

    assert [each.external_id for each in outcomes] == [each.id for each in there]
    assert not any(each.created for each in outcomes)
    assert {each.tags for each in await bench.contacts()} == {("vip", "lead")}
    assert {each.first_name for each in await bench.contacts()} == {"Sarah"}
    # Two reads of tags, an update by ids, an upsert by e-mails.
    assert await bench.calls() == 4


@pytest.mark.parametrize("is_whole_refused", [False, True])
async def test_what_is_refused_holds_up_no_other(bench: Bench, is_whole_refused: bool) -> None:
    other = await bench.seed(email="taken@example.com", first_name="Other")
    ours = await bench.seed(email="old@example.com")
    good, wrong, taken, gone, phone, nobody = people(6)
    wrong = replace(wrong, email="no address")
    taken, phone = replace(taken, email="taken@example.com"), replace(phone, email="")
    nobody = replace(nobody, email="", phone="")
    if is_whole_refused:
        await bench.fault("status", status=409, path="*/batch/*", count=2)

    outcomes = await push(
        bench, [(good, ""), (wrong, ""), (taken, ours.id), (gone, "999999999"), (phone, ""), (nobody, "")]
    )

    assert [isinstance(each, PermanentError) for each in outcomes] == [False, True, False, False, False, True]
    held = {each.id: each for each in await bench.contacts()}
    assert held[other.id] == other
    assert (held[ours.id].email, held[ours.id].first_name) == ("old@example.com", "Sarah")
    assert sorted(each.email for each in held.values()) == [
        "", "old@example.com", "p0@example.com", "p3@example.com", "taken@example.com"
    ]  # fmt: skip


async def test_a_lost_answer_is_repeated_harmlessly_and_a_limit_says_when_to_come_back(bench: Bench) -> None:
    new = [(each, "") for each in people(3)]
    await bench.fault("truncated", path="*/batch/upsert")
    with pytest.raises(TransientError) as lost:
        await push(bench, new)
    assert lost.value.unsure
    await bench.fault("status", status=429, retry_after=7)
    with pytest.raises(TransientError) as limited:
        await push(bench, new)
    assert limited.value.retry_after == 7

    pushed(await push(bench, new))

    assert len(await bench.contacts()) == 3


async def test_one_person_twice_and_one_to_be_found_by_phone_go_by_themselves(bench: Bench) -> None:
    there = await bench.seed(phone="+13125550000", last_name="Johnson")
    twice = people(2)
    twice[1] = replace(twice[1], email=twice[0].email)

    by_phone, _ = pushed(await push(bench, [(twice[0], ""), (people(2)[1], "")], match_phone=True))
    one, other = pushed(await push(bench, [(twice[0], there.id), (twice[1], there.id)]))

    assert by_phone.external_id == there.id
    assert one.external_id == other.external_id == there.id
    assert len(await bench.contacts()) == 2
