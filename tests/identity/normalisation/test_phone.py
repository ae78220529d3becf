"""Phone numbers: every way to write one, each region's habits, what is refused, and the short cut's answers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumberFormat,
    example_number_for_type,
    format_number,
    national_significant_number,
)

from mainstay.identity.normalisation import Hint, Reason, normalise_phone
from mainstay.identity.normalisation.numbering import read_international, read_national
from mainstay.identity.normalisation.phone import read_any, read_plain, resolve_by_library

BIRCH = "+13125550147"
REGIONS = sorted(SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    "raw",
    [
        "3125550147", "312-555-0147", "(312) 555-0147", "312.555.0147", "312 555 0147", "1-312-555-0147", "13125550147",
        "+1 312 555 0147", "+1-312-555-0147", "+1 (312) 555-0147", "(+1) 312 555 0147", "+13125550147", "312/555-0147",
        "312_555_0147", " 312 555 0147 ", "312.555.0147.", "312-555-0147;", "312-555-0147,",
        # exit codes
        "0013125550147", "00 1 312 555 0147", "01113125550147", "011 1 312 555 0147",
        # labels and addresses
        "tel:+13125550147", "tel:+1-312-555-0147", "TEL:312-555-0147", "tel://+13125550147", "tel:%2B13125550147",
        "tel:5550147;phone-context=+1312", "whatsapp:+13125550147", "sms:+13125550147", "Tel: 312-555-0147",
        "Phone: 312-555-0147", "phone number: 312-555-0147", "Mobile 312-555-0147", "Cell: (312) 555-0147",
        "T: 312 555 0147", "312-555-0147 (home)", "312-555-0147 (mobile)", "312-555-0147 mobile", "312-555-0147 [work]",
        # digits, dashes and spaces of the world
        "٣١٢٥٥٥٠١٤٧", "۳۱۲-۵۵۵-۰۱۴۷", "३१२५५५०१४७", "３１２ ５５５ ０１４７", "＋１ ３１２ ５５５ ０１４７",
        "（３１２）５５５－０１４７",
        "312‑555‑0147", "312–555–0147", "312—555—0147", "312−555−0147", "312·555·0147", "312\u00a0555\u00a00147",
        "\u202a+1 312 555 0147\u202c", "\u200b312-555-0147", "3️⃣1️⃣2️⃣5️⃣5️⃣5️⃣0️⃣1️⃣4️⃣7️⃣",
        # what spreadsheets leave
        "'3125550147", "’3125550147", "3125550147.0", "13125550147.0", "3125550147.00", '="3125550147"',
        '"312-555-0147"',
        "+13125550147.0",
    ],
)  # fmt: skip
def test_one_number_however_it_is_written(raw: str) -> None:
    read = normalise_phone(raw, "US")
    assert (read.canonical, read.ext, read.reason) == (BIRCH, "", "")


@pytest.mark.parametrize(
    "raw",
    ["312-555-0147 x123", "312-555-0147x123", "312-555-0147 X 123", "312-555-0147 ext 123", "312-555-0147 ext. 123",
     "312-555-0147 ext.123", "312-555-0147 Ext: 123", "312-555-0147ext123", "312-555-0147, ext 123",
     "312-555-0147 extn 123",
     "312-555-0147 extension 123", "312-555-0147 extensión 123", "312-555-0147 #123", "312-555-0147#123",
     "312-555-0147 (x123)", "312-555-0147 (ext. 123)", "312-555-0147 [x123]", "312-555-0147 - ext 123",
     "312-555-0147,,123", "312-555-0147,,123#", "312-555-0147;ext=123", "tel:+1-312-555-0147;ext=123",
     "tel:+13125550147;isub=1;ext=123", "312-555-0147 poste 123", "312-555-0147 Durchwahl 123", "312-555-0147 доб. 123",
     "312-555-0147 ramal 123", "312-555-0147 anexo 123", "312-555-0147 ext no. 123", "312-555-0147 ｘ１２３",
     "+1 312 555 0147 x123", "001 312 555 0147 x123"],
)  # fmt: skip
def test_an_extension_stands_apart(raw: str) -> None:
    read = normalise_phone(raw, "US")
    assert (read.canonical, read.ext) == (BIRCH, "123")


@pytest.mark.parametrize("raw", ["312-555-0147 x", "312-555-0147 ext.", "312-555-0147 ext:", "312-555-0147 #"])
def test_an_extension_that_was_left_empty_is_none(raw: str) -> None:
    assert normalise_phone(raw, "US")[:4] == ("valid", BIRCH, "", "")


def test_zeros_of_an_extension_are_kept() -> None:
    assert normalise_phone("312-555-0147 x007", "US").ext == "007"


@pytest.mark.parametrize(
    ("raw", "region", "canonical"),
    [
        # trunk prefix, (0), country code without +
        ("020 7946 0018", "GB", "+442079460018"), ("(020) 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"), ("+44 (0) 20 7946 0018", "", "+442079460018"),
        ("+44 020 7946 0018", "", "+442079460018"), ("0044 (0)20 7946 0018", "US", "+442079460018"),
        ("(0)20 7946 0018", "GB", "+442079460018"), ("442079460018", "GB", "+442079460018"),
        ("20 7946 0018", "GB", "+442079460018"), ("020 7946 0018", "gb", "+442079460018"),
        ("020 7946 0018", "UK", "+442079460018"), ("+49 (0)30 1234567", "DE", "+49301234567"),
        ("030/1234567", "DE", "+49301234567"), ("0049 30 1234567", "DE", "+49301234567"),
        ("49 30 1234567", "DE", "+49301234567"), ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("+91-98481-07947", "IN", "+919848107947"), ("098481 07947", "IN", "+919848107947"),
        # Italy dials its zero
        ("06 1234 5678", "IT", "+390612345678"), ("+39 06 1234 5678", "", "+390612345678"),
        ("+39 (0)6 1234 5678", "", "+390612345678"),
        # exit codes
        ("0011 44 20 7946 0018", "AU", "+442079460018"), ("010 44 20 7946 0018", "JP", "+442079460018"),
        ("011 44 20 7946 0018", "US", "+442079460018"), ("011 44 20 7946 0018", "CA", "+442079460018"),
        ("00 44 20 7946 0018", "AU", "+442079460018"), ("0044 20 7946 0018", "", "+442079460018"),
        ("+0044 20 7946 0018", "GB", "+442079460018"),
        ("8~10 44 20 7946 0018".replace("~", ""), "RU", "+442079460018"), ("001 44 20 7946 0018", "KR",
        "+442079460018"),
        # Brazil: carriers stand between exit code and number
        ("0 15 11 99208 1455", "BR", "+5511992081455"), ("005521992759637", "BR", "+5521992759637"),
        ("+55 11 99208-1455", "", "+5511992081455"), ("11 99208 1455", "BR", "+5511992081455"),
        # Argentina: 15 within, 9 from outside
        ("011 15 2345 6789", "AR", "+5491123456789"), ("+54 9 11 2345 6789", "", "+5491123456789"),
        # Mexico: what was dialled until 2019
        ("55 1234 5678", "MX", "+525512345678"), ("+52 55 1234 5678", "", "+525512345678"),
        ("+52 1 55 1234 5678", "", "+525512345678"), ("+5215512345678", "US", "+525512345678"),
        ("5215512345678", "MX", "+525512345678"), ("525512345678", "MX", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"), ("044 55 1234 5678", "MX", "+525512345678"),
        ("045 55 1234 5678", "MX", "+525512345678"), ("+52 01 55 1234 5678", "", "+525512345678"),
        ("+52 044 55 1234 5678", "", "+525512345678"), ("0052 1 55 1234 5678", "MX", "+525512345678"),
        ("011 52 1 55 1234 5678", "US", "+525512345678"), ("01 800 123 4567", "MX", "+528001234567"),
        # vanity
        ("1-800-FLOWERS", "US", "+18003569377"), ("1-800-flowers", "US", "+18003569377"),
        ("1-800-GO-FEDEX", "US", "+18004633339"), ("(312) 555-HELP", "US", "+13125554357"),
        ("+1 800 FLOWERS", "", "+18003569377"), ("0800 REVERSE", "GB", "+448007383773"),
        ("1-800-FLOWERS x12", "US", "+18003569377"), ("1-800-4-A-CHILD", "US", "+18004224453"),
        ("13 CATS", "AU", "+61132287"), ("1300 FLOWER", "AU", "+611300356937"), ("0800 FLOWERS", "DE", "+498003569377"),
        # pairs of digits parted by dots are no decimals
        ("06.12.34.56.00", "FR", "+33612345600"), ("+47.21.23.43.00", "NO", "+4721234300"),
        # 00 where another exit code is dialled
        ("00447911123456", "US", "+447911123456"), ("0061412349990", "AU", "+61412349990"),
        ("00442079460018", "JP", "+442079460018"), ("+44 7400 121947", "GB", "+447400121947"),
        ("3125550147٫0", "US", BIRCH), ("8 (800) 555-35-35", "RU", "+78005553535"),
        # what begins like the country's own code, where several regions share a plan
        ("358102345", "AX", "+358102345"), ("29089", "TA", ""),
        # of no country
        ("+800 1234 5679", "", "+80012345679"), ("+44 7911 123456", "", "+447911123456"),
    ],
)  # fmt: skip
def test_each_region_dials_its_way(raw: str, region: str, canonical: str) -> None:
    assert normalise_phone(raw, region).canonical == canonical


@pytest.mark.parametrize(
    ("raw", "region", "reason"),
    [
        ("", "US", Reason.EMPTY), ("\u200b ", "US", Reason.EMPTY), ("n/a", "US", Reason.PLACEHOLDER),
        ("none", "US", Reason.PLACEHOLDER), ("-", "US", Reason.PLACEHOLDER), ("1" * 400, "US", Reason.TOO_LONG),
        ("call me", "US", Reason.NOT_A_NUMBER), ("()", "US", Reason.NOT_A_NUMBER),
        ("3.12555E+09", "US", Reason.EXPONENT), ("3.125550147E9", "US", Reason.EXPONENT),
        ("3,12555E+09", "US", Reason.EXPONENT), ("4.47912E+11", "GB", Reason.EXPONENT), ("3.1e9",
        "US", Reason.EXPONENT),
        ("312-555-0147 / 312-555-0148", "US", Reason.TWO_NUMBERS), ("312-555-0147/312-555-0148",
        "US", Reason.TWO_NUMBERS),
        ("312-555-0147 or 312-555-0148", "US", Reason.TWO_NUMBERS), ("312-555-0147;312-555-0148",
        "US", Reason.TWO_NUMBERS),
        ("312-555-0147, 312-555-0148", "US", Reason.TWO_NUMBERS), ("312-555-0147 & 312-555-0148",
        "US", Reason.TWO_NUMBERS),
        ("312-555-0147 and 0148", "US", Reason.TWO_NUMBERS), ("312-555-0147/0148", "US", Reason.TWO_NUMBERS),
        ("312-555-0147\n312-555-0148", "US", Reason.TWO_NUMBERS), ("312-555-0147 | 312-555-0148",
        "US", Reason.TWO_NUMBERS),
        ("3125550147 3125550148", "US", Reason.TWO_NUMBERS), ("+13125550147+13125550148", "US", Reason.TWO_NUMBERS),
        ("312-555-0147 x1 or 312-555-0148", "US", Reason.TWO_NUMBERS), ("030 1234567 / 030 1234568",
        "DE", Reason.TWO_NUMBERS),
        ("030 1234567 oder 030 1234568", "DE", Reason.TWO_NUMBERS),
        ("030 1234-030 1235", "DE", Reason.TWO_NUMBERS), ("312-555-0147-312-555-0148", "US", Reason.TWO_NUMBERS),
        ("312\n5550147", "US", Reason.TWO_NUMBERS),
        # half a number and a name, which would make a whole one by its letters
        ("847-2147 Bob", "US", Reason.TEXT_BESIDE), ("847-2147 (Jim)", "US", Reason.TEXT_BESIDE),
        ("0171 1234 Bob", "DE", Reason.TEXT_BESIDE),
        # no country has the codes +8 and +4
        ("+8 (495) 123-45-67", "RU", Reason.NO_SUCH_NUMBER), ("+8(495)1234567", "RU", Reason.NO_SUCH_NUMBER),
        ("+4 420 7946 0018", "GB", Reason.NO_SUCH_NUMBER),
        # Mexico's numbers begin with no zero
        ("0 55 1234 5678", "MX", Reason.NO_SUCH_NUMBER), ("+52 0 55 1234 5678", "", Reason.NO_SUCH_NUMBER),
        ("312-555-0147 Bob", "US", Reason.TEXT_BESIDE), ("Bob 312-555-0147", "US", Reason.TEXT_BESIDE),
        ("030 1234567 Bob", "DE", Reason.TEXT_BESIDE), ("fax 312-555-0147", "US", Reason.TEXT_BESIDE),
        ("312-555-O147", "US", Reason.TEXT_BESIDE),
        ("312-555-0147", "", Reason.NO_REGION), ("13125550147", "", Reason.NO_REGION), ("020 7946 0018",
        "ZZ", Reason.NO_REGION),
        ("555-0147", "US", Reason.NO_SUCH_NUMBER), ("12", "US", Reason.NO_SUCH_NUMBER), ("911",
        "US", Reason.NO_SUCH_NUMBER),
        ("000-000-0000", "US", Reason.NO_SUCH_NUMBER), ("123-456-7890", "US", Reason.NO_SUCH_NUMBER),
        ("+999123", "US", Reason.NO_SUCH_NUMBER),
        ("+0628123456", "", Reason.NO_SUCH_NUMBER), ("00113101236", "CA", Reason.NO_SUCH_NUMBER),
        ("+1 312 555 01477", "US", Reason.NO_SUCH_NUMBER),
        ("+1 312 555 014", "US", Reason.NO_SUCH_NUMBER), ("442079460018", "US", Reason.NO_SUCH_NUMBER),
        ("1 55 1234 5678", "MX", Reason.NO_SUCH_NUMBER), ("+52 2 55 1234 5678", "MX", Reason.NO_SUCH_NUMBER),
        ("1-800-FLOWERSHOPS", "US", Reason.NO_SUCH_NUMBER),
        ("22/05/1980", "DK", Reason.NOT_A_NUMBER), ("22.05.1980", "DK", Reason.NOT_A_NUMBER),
        ("2024-01-15", "US", Reason.NOT_A_NUMBER), ("312*555*0147", "US", Reason.NOT_A_NUMBER),
        ("sarah@example.com1", "US", Reason.TEXT_BESIDE),
    ],
)  # fmt: skip
def test_what_is_no_single_number_is_refused_with_the_reason(raw: str, region: str, reason: Reason) -> None:
    read = normalise_phone(raw, region)
    assert (read.canonical, read.reason) == ("", reason)
    assert not read.identifying


@pytest.mark.parametrize(
    ("raw", "is_blocked"),
    [("+12125551212", True), ("+12345678901", True), ("+448007777777", True), (BIRCH, False), ("+442079460018", False)],
)
def test_what_everybody_dials_names_nobody(raw: str, is_blocked: bool) -> None:
    read = normalise_phone(raw, "US")
    assert read.is_valid
    assert (read.hint, read.identifying) == ((Hint.BLOCKED_VALUE, False) if is_blocked else ("", True))


@pytest.mark.parametrize("region", REGIONS)
def test_the_numbers_of_every_region_in_every_form(region: str) -> None:
    for number_type in range(11):
        number = example_number_for_type(region, number_type)
        if number is None:
            continue
        canonical = format_number(number, PhoneNumberFormat.E164)
        for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.RFC3966):
            assert normalise_phone(format_number(number, form), region).canonical == canonical
        assert normalise_phone(f"00{canonical[1:]}", "").canonical == canonical


numbers = st.text("0123456789", min_size=4, max_size=15)


@st.composite
def dialled(draw: st.DrawFn) -> tuple[str, str]:
    """Digits that are nearly some region's number, and the region they are dialled in."""
    region = draw(st.sampled_from(REGIONS))
    number = example_number_for_type(region, draw(st.integers(0, 10)))
    if number is None:
        return draw(numbers), region
    digits = draw(
        st.sampled_from([format_number(number, PhoneNumberFormat.E164)[1:], national_significant_number(number)])
    )
    place = draw(st.integers(0, len(digits)))
    digits = draw(st.sampled_from(["", "", "0", "1", "8", "00", "011", "06", "01"])) + (
        digits[:place] + draw(st.text("0123456789", max_size=2)) + digits[place + draw(st.integers(0, 2)) :]
    )
    return digits, draw(st.sampled_from([region, region, "US", "GB", "DE", "MX", "BR"]))


@settings(max_examples=500)
@given(dialled(), st.sampled_from(["", "+"]))
def test_the_compiled_plans_answer_as_the_library(given_number: tuple[str, str], plus: str) -> None:
    digits, region = given_number
    quick = read_international(digits) if plus else read_national(digits, region) if len(digits) > 3 else None
    if quick is None:
        return
    answers = {resolve_by_library(plus + digits, region)}
    if digits.startswith("00") and not plus:
        answers.add(resolve_by_library(f"+{digits[2:]}", ""))
    assert quick in answers


punctuated = st.tuples(dialled(), st.lists(st.tuples(st.integers(0, 16), st.sampled_from(" -.()/ +")), max_size=5))
texts = st.text(st.characters() | st.sampled_from("0123456789+-() ./xX#,;ext\u0663０"), max_size=30)


def written(number: tuple[str, str], marks: list[tuple[int, str]]) -> str:
    """Put marks of punctuation among digits."""
    text = number[0]
    for place, mark in marks:
        text = text[:place] + mark + text[place:]
    return text


around = st.sampled_from(["{}"] * 5 + ["'{}", "''{}", " {}", "{}\n", "{}.0", "{} x12", "{}ext.3", "{} ext 0"])


@given(punctuated, around)
def test_the_short_cut_gives_what_the_long_way_gives(
    drawn: tuple[tuple[str, str], list[tuple[int, str]]], form: str
) -> None:
    number, marks = drawn
    raw = form.format(written(number, marks))
    short = read_plain(raw, number[1])
    assert short is None or short == read_any(raw, number[1])


@given(texts, st.sampled_from(["US", "GB", "DE", "MX", "BR", "IT", "AR", "", "ZZ", "us"]))
def test_anything_is_a_number_or_refused(raw: str, region: str) -> None:
    read = normalise_phone(raw, region)
    if not read.is_valid:
        assert read.reason in set(Reason)
        assert (read.canonical, read.ext) == ("", "")
        return
    assert re.fullmatch(r"\+[1-9]\d{3,14}", read.canonical)
    for anywhere in ("", region, "US", "MX"):
        assert normalise_phone(read.canonical, anywhere) == read._replace(ext="")


@given(dialled(), st.sampled_from(list("\u200b\u00ad\u202e\u2060\ufeff")), st.integers(0, 15))
def test_what_nobody_sees_changes_nothing(given_number: tuple[str, str], invisible: str, place: int) -> None:
    digits, region = given_number
    read = normalise_phone(digits, region)
    assert normalise_phone(digits[:place] + invisible + digits[place:], region) == read
    assert normalise_phone(f"  {digits}\u00a0", region) == read
