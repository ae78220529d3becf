"""The map's language: what it finds, what it says when it finds nothing, and its bounds on any payload."""

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.errors import MalformedError
from mainstay.kit.mapping import MAX_CUSTOM, MAX_CUSTOM_KEY, TARGETS, FieldMap, MappedSettings
from mainstay.kit.payload import MAX_CHARS
from mainstay.model import Submission


@pytest.mark.parametrize(
    ("place", "payload"),
    [
        ("Email Address", {"Email Address": "a@b.co"}),
        ("Email Address", {"email_address": " a@b.co "}),
        ("Email Address", {"E-MAIL-ADDRESS": "a@b.co"}),
        ("answers.0.email", {"answers": [{"email": "a@b.co"}]}),
        ("person.E-mail", {"person": {"email": "a@b.co"}}),
        ("your.email", {"your.email": "a@b.co"}),
        ("'a@b.co'", {}),
        ('"a@b.co"', {}),
        (["Work", "Private"], {"Work": "  ", "Private": "a@b.co"}),
        (["gone", "emails"], {"emails": ["", "a@b.co", "c@d.co"]}),
    ],
)
def test_a_place_is_found(place: str | list[str], payload: dict[str, Any]) -> None:
    assert FieldMap({"email": place}).apply(payload).email == "a@b.co"


def test_an_exact_key_goes_before_one_spelled_alike() -> None:
    payload = {"E MAIL": "other@b.co", "email": "a@b.co", "EMAIL": "third@b.co"}
    assert FieldMap({"email": "email"}).apply(payload).email == "a@b.co"


def test_with_a_map_only_what_it_names_is_mapped_and_the_rest_is_custom() -> None:
    submission = FieldMap({"email": "mail", "custom.Job": "what", "tags": "interests"}).apply(
        {"mail": "a@b.co", "name": "not asked for", "what": "Roof", "interests": "vip, roof,vip", "x": {"y": [1, None]}}
    )
    assert submission == Submission(
        email="a@b.co", tags=("vip", "roof"), custom={"Job": "Roof", "name": "not asked for", "x.y": "1"}
    )


@pytest.mark.parametrize("key", ["email", "E-Mail", "Email Address *", "your-email", "Your e-mail (required)", "mail"])
def test_usual_spellings_of_email(key: str) -> None:
    assert FieldMap().apply({key: "a@b.co"}) == Submission(email="a@b.co")


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("tel", "phone"),
        ("Mobile Number", "phone"),
        ("phone_number", "phone"),
        ("What is your phone?", "phone"),
        ("Full Name", "name"),
        ("your-name", "name"),
        ("firstname", "first_name"),
        ("First name", "first_name"),
        ("Surname", "last_name"),
        ("Company Name", "company"),
        ("utm_source", "source"),
    ],
)
def test_usual_spellings_of_the_others(key: str, field: str) -> None:
    submission = FieldMap().apply({"email": "a@b.co", key: "value"})
    assert getattr(submission, field) == "value"
    assert submission.custom == {}


def test_the_surer_spelling_wins_and_the_other_is_kept() -> None:
    submission = FieldMap().apply({"cell": "2", "phone": "1", "referrer_email": "c@d.co", "email": "a@b.co"})
    assert (submission.phone, submission.email) == ("1", "a@b.co")
    assert submission.custom == {"cell": "2", "referrer_email": "c@d.co"}


def test_a_name_in_two_parts_is_read() -> None:
    submission = FieldMap().apply({"name": {"first": "Ann", "last": "Lee"}, "phone": 13125550147})
    assert submission == Submission(first_name="Ann", last_name="Lee", phone="13125550147")


def test_tokens_and_passwords_of_the_form_are_dropped() -> None:
    payload = {"email": "a@b.co", "g-recaptcha-response": "x", "_wpnonce": "y", "Password": "z"}
    assert FieldMap().apply(payload) == Submission(email="a@b.co")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"emial": "x"}, 'Did you mean "email"?'),
        ({"custom.": "x"}, "custom.KEY"),
        ({"email": []}, "empty list"),
        ({"email": " "}, "map.email should be"),
    ],
)
def test_a_wrong_map_says_how_to_mend_it(entries: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("?", r"\?").replace(".", r"\.")):
        FieldMap(entries)
    with pytest.raises(ValidationError, match="map"):
        MappedSettings.model_validate({"kind": "form", "map": entries})


def test_what_is_missing_and_what_there_is_are_both_named_but_no_value() -> None:
    with pytest.raises(MalformedError) as error:
        FieldMap({"email": "Email Adress", "phone": "Phone"}).apply({"Email Address": "secret@b.co", "Tel": "312"})
    message = str(error.value)
    assert '"Email Adress" (for email), did you mean "Email Address"?' in message
    assert '"Phone" (for phone)' in message
    assert 'the payload has "Email Address", "Tel"' in message
    assert "secret" not in message
    assert "312" not in message


def test_the_message_is_bounded_whatever_the_keys() -> None:
    with pytest.raises(MalformedError) as error:
        FieldMap().apply({f"{number}" * 200: "x" for number in range(900)})
    assert len(str(error.value)) < 2_000
    assert 'add map = { email = "...", phone = "..." }' in str(error.value)


def test_a_name_alone_does_when_the_asked_keys_are_there_but_empty_and_not_when_they_are_gone() -> None:
    mapping = FieldMap({"email": "Email", "name": "Name"})
    assert mapping.apply({"Email": "", "Name": "Ann"}).name == "Ann"
    with pytest.raises(MalformedError, match="neither e-mail nor phone"):
        mapping.apply({"E-mail 2": "a@b.co", "Name": "Ann"})


def test_an_object_where_a_text_is_wanted_is_named() -> None:
    with pytest.raises(MalformedError, match='"contact" is an object: name a key inside it with a dot'):
        FieldMap({"email": "contact"}).apply({"contact": {"email": "a@b.co"}})


def test_hints_and_aliases_of_a_typed_sender() -> None:
    payload = {"Question?": "a@b.co", "Other?": "Ann"}
    submission = FieldMap({"name": "ref-2"}).apply(
        payload, hints={"Question?": "email"}, aliases={"ref-1": "Question?", "ref-2": "Other?"}
    )
    assert submission == Submission(email="a@b.co", name="Ann")


@pytest.mark.parametrize(
    ("value", "is_opt_out"),
    [
        (True, True), ("yes", True), ("Y", True), (1, True), ("on", True), ("unsubscribed", True), ("2024-05-02", True),
        (False, False), ("No", False), (0, False), ("", False), (None, False), ("subscribed", False), (" off ", False),
    ],
)  # fmt: skip
def test_an_opt_out_is_all_but_a_plain_no(value: Any, is_opt_out: bool) -> None:
    payload = {"email": "a@b.co", "Unsubscribed?": value}
    mapped = FieldMap({"email": "email", "do_not_contact": "unsubscribed"}).apply(payload)
    assert mapped.do_not_contact is is_opt_out
    assert FieldMap().apply(payload).do_not_contact is is_opt_out


def test_consent_is_taken_where_the_map_says_so_and_never_guessed() -> None:
    places = {"email": "email", "consent": "Agreed"}
    for value, evidence in (("yes", "agreed: yes"), (True, "agreed: true"), ("No", ""), ("2 May, box ticked",) * 2):
        payload = {"email": "a@b.co", "agreed": value}
        assert FieldMap(places).apply(payload).consent == evidence
        assert FieldMap().apply({"email": "a@b.co", "consent": value}).consent == ""


def test_when_it_was_said_is_read_from_the_payload() -> None:
    mapping = FieldMap({"email": "email", "occurred_at": ["at", "created"]})
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC)
    later = datetime(2026, 6, 1, tzinfo=UTC)
    for value in ("2026-05-01T11:00:00+02:00", "2026-05-01 09:00", "1777626000", 1777626000, 1777626000000):
        submission = mapping.apply({"email": "a@b.co", "at": "", "created": value}, occurred_at=later)
        assert submission.occurred_at == moment, value
    assert mapping.apply({"email": "a@b.co"}, occurred_at=later).occurred_at == later
    with pytest.raises(MalformedError, match="occurred_at is not a time"):
        mapping.apply({"email": "a@b.co", "at": "last Tuesday"})


KEYS = st.one_of(
    st.sampled_from(["email", "Phone", "name", "tags", "data", "fields", "first_name", "a.b", ""]), st.text(max_size=20)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=700),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)
PLACES = st.one_of(
    st.sampled_from(["email", "data.email", "fields.0", "'x'", "a..b", "tags.00001"]), st.text(min_size=1)
)


NO_TEXTS = ("tags", "occurred_at", "do_not_contact")


def check_bounds(submission: Submission) -> None:
    texts = [getattr(submission, target) for target in TARGETS if target not in NO_TEXTS]
    assert any(texts[:5])
    for text in (*texts, *submission.tags, *submission.custom.values(), *submission.custom):
        assert len(text) <= MAX_CHARS
        assert "\x00" not in text
    assert len(submission.custom) <= MAX_CUSTOM
    assert all(len(key) <= MAX_CUSTOM_KEY for key in submission.custom)


@given(payload=st.dictionaries(KEYS, JSON, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_payload_gives_a_bounded_submission_or_malformed(payload: dict[str, Any]) -> None:
    try:
        submission = FieldMap().apply(payload)
    except MalformedError:
        return
    check_bounds(submission)


@given(
    entries=st.dictionaries(st.sampled_from([*TARGETS, "custom.a"]), PLACES, min_size=1),
    payload=st.dictionaries(KEYS, JSON, max_size=10),
)
@settings(max_examples=150, deadline=None)
def test_any_map_on_any_payload(entries: dict[str, str], payload: dict[str, Any]) -> None:
    try:
        mapping = FieldMap(entries)
    except ValueError:
        assert any(not place.strip() for place in entries.values())
        return
    try:
        submission = mapping.apply(payload)
    except MalformedError:
        return
    check_bounds(submission)


@given(
    key=st.text(string.ascii_letters, min_size=1, max_size=20),
    separator=st.sampled_from([" ", "_", "-", ""]),
    value=st.text(string.ascii_letters, min_size=1, max_size=20),
)
def test_case_and_separators_do_not_matter(key: str, separator: str, value: str) -> None:
    written = separator.join(key)
    assert FieldMap({"name": written}).apply({key.upper(): value}).name == value
