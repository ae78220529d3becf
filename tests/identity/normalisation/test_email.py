"""E-mail addresses: what is taken off, what is kept, what is refused and why, what is hinted at."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity.normalisation import Hint, Reason, normalise_email
from mainstay.identity.normalisation.email import read_any, read_plain

SARAH = "sarah@example.com"
nasty = st.text(
    st.characters() | st.sampled_from("\u200b\u00ad\u202e\u2060 ＠@。..,;<>()\"'“”:+İıßΣς\u0301\u0308é"), max_size=40
)
addresses = nasty | st.emails() | st.builds("{}@{}.com".format, nasty, nasty)


@pytest.mark.parametrize(
    "raw",
    [
        # invisible characters, white space
        "Sarah@Example.com", " sarah@example.com\n", "\tsarah@example.com", "\u00a0sarah@example.com\u3000",
        "\u2003sarah@example.com\u2028", "\u200bsarah@example.com", "sarah@ex\u200bample.com",
        "sar\u00adah@example.com",
        "\u202asarah@example.com\u202c", "\u200esarah@example.com\u200f", "\u2066sarah@example.com\u2069",
        "\ufeffsarah@example.com", "sarah\u2060@example.com", "sarah@example\u200d.com",
        # labels
        "mailto:sarah@example.com", "MAILTO:sarah@example.com",
        "mailto:sarah@example.com?subject=Hello%20you&cc=a@b.com",
        "mailto:%73arah@example.com", "mailto:<sarah@example.com>", "<mailto:sarah@example.com>",
        "email: sarah@example.com", "E-Mail: sarah@example.com", "Email:sarah@example.com",
        "e-mail address: sarah@example.com",
        # names and brackets
        "Sarah Johnson <sarah@example.com>", '"Johnson, Sarah" <sarah@example.com>',
        "Johnson, Sarah <sarah@example.com>",
        "Sarah<sarah@example.com>", "<sarah@example.com>", "sarah@example.com <sarah@example.com>",
        "'sarah@example.com' <sarah@example.com>", "Sarah (work) <sarah@example.com>", "<SARAH@EXAMPLE.COM>;",
        # quotes and parentheses
        '"sarah@example.com"', "'sarah@example.com'", "(sarah@example.com)", "“sarah@example.com”",
        "‘sarah@example.com’",
        "«sarah@example.com»", "`sarah@example.com`", "('sarah@example.com')", '"sarah@example.com",',
        # one mark behind
        "sarah@example.com.", "sarah@example.com,", "sarah@example.com;", "sarah@example.com ;", "(sarah@example.com).",
        "(sarah@example.com.)",
        # full-width
        "ｓａｒａｈ＠ｅｘａｍｐｌｅ．ｃｏｍ", "sarah＠example.com", "sarah@example。com", "sarah@example｡com",
        "ＳＡＲＡＨ@example.com",
        "sarah﹫example.com",
        # needless quotes of the local part
        '"sarah"@example.com', '"SARAH"@example.com',
    ],
)  # fmt: skip
def test_all_that_is_written_around_an_address_is_taken_off(raw: str) -> None:
    assert normalise_email(raw).canonical == SARAH


@pytest.mark.parametrize(
    ("raw", "canonical", "alias_key"),
    [
        ("s.j+news@gmail.com", "s.j+news@gmail.com", "sj@gmail.com"),
        ("S.J+a+b@GoogleMail.com", "s.j+a+b@googlemail.com", "sj@googlemail.com"),
        ("s.j+news@example.com", "s.j+news@example.com", "s.j@example.com"),
        ("s.j@example.com", "s.j@example.com", "s.j@example.com"),
        ("sj@gmail.com", "sj@gmail.com", "sj@gmail.com"),
        ("+news@example.com", "+news@example.com", "+news@example.com"),
        ("sarah-news@yahoo.com", "sarah-news@yahoo.com", "sarah-news@yahoo.com"),
        ('"s j+x"@gmail.com', '"s j+x"@gmail.com', '"s j+x"@gmail.com'),
    ],
)  # fmt: skip
def test_tags_and_dots_stay_in_the_key_and_are_folded_in_the_alias(raw: str, canonical: str, alias_key: str) -> None:
    read = normalise_email(raw)
    assert (read.canonical, read.alias_key) == (canonical, alias_key)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ('"John Smith"@example.com', '"john smith"@example.com'), ('"a@b"@example.com', '"a@b"@example.com'),
        ('"a..b"@example.com', '"a..b"@example.com'), ('"a\\"b"@example.com', '"a\\"b"@example.com'),
        ('".a"@example.com', '".a"@example.com'), ("o'brien@example.com", "o'brien@example.com"),
        ("a/b=c@example.com", "a/b=c@example.com"), ("x!#$%&*?^_{|}~@example.com", "x!#$%&*?^_{|}~@example.com"),
        ("sarah@Bücher.de", "sarah@xn--bcher-kva.de"), ("sarah@BÜCHER.DE", "sarah@xn--bcher-kva.de"),
        ("sarah@xn--bcher-kva.de", "sarah@xn--bcher-kva.de"), ("sarah@XN--BCHER-KVA.de", "sarah@xn--bcher-kva.de"),
        ("sarah@bu\u0308cher.de", "sarah@xn--bcher-kva.de"), ("sarah@例え.jp", "sarah@xn--r8jz45g.jp"),
        ("sarah@straße.de", "sarah@xn--strae-oqa.de"), ("sarah@пример.рф", "sarah@xn--e1afmkfd.xn--p1ai"),
        ("Müller@example.com", "müller@example.com"), ("Mu\u0308ller@example.com", "müller@example.com"),
        ("用户@example.com", "用户@example.com"), ("a@b-c.co.uk", "a@b-c.co.uk"), ("a@sub.sub.example.com",
        "a@sub.sub.example.com"),
        ("1@2.com", "1@2.com"), ("a_b-c@example.com", "a_b-c@example.com"), ("a@example.museum", "a@example.museum"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)  # fmt: skip
def test_what_belongs_to_an_address_is_kept(raw: str, canonical: str) -> None:
    assert normalise_email(raw).canonical == canonical


LONG_DOMAIN = ".".join(["d" * 60] * 4)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", Reason.EMPTY), (" \n", Reason.EMPTY), ("\u200b\ufeff", Reason.EMPTY), ("<>", Reason.EMPTY),
        ("n/a", Reason.PLACEHOLDER), ("NULL", Reason.PLACEHOLDER), ("-", Reason.PLACEHOLDER),
        ("none", Reason.PLACEHOLDER),
        ("sarah", Reason.NO_AT), ("sarah.example.com", Reason.NO_AT), ("sarah(at)example.com", Reason.NO_AT),
        ("@example.com", Reason.NO_LOCAL_PART), ('""@example.com', Reason.NO_LOCAL_PART),
        ("sarah@", Reason.BAD_DOMAIN), ("sarah@example", Reason.NO_DOT), ("root@localhost", Reason.NO_DOT),
        ("sarah@[192.0.2.1]", Reason.IP_ADDRESS), ("sarah@[IPv6:2001:db8::1]", Reason.IP_ADDRESS),
        ("sarah@192.0.2.1", Reason.IP_ADDRESS),
        ("sarah(work)@example.com", Reason.COMMENT), ("sarah@example.com (Sarah)", Reason.COMMENT),
        ("sarah@(home)example.com", Reason.COMMENT),
        ("sa rah@example.com", Reason.WHITE_SPACE), ("sarah @example.com", Reason.WHITE_SPACE),
        ("sarah@ example.com", Reason.WHITE_SPACE), ("sarah@example. com", Reason.WHITE_SPACE),
        ("sarah@\r\n example.com", Reason.WHITE_SPACE), ("sarah@example.com call me", Reason.WHITE_SPACE),
        ("a@example.com, b@example.com", Reason.TWO_ADDRESSES), ("a@example.com;b@example.com", Reason.TWO_ADDRESSES),
        ("a@example.com b@example.com", Reason.TWO_ADDRESSES), ("a@example.com / b@example.com", Reason.TWO_ADDRESSES),
        ("a@example.com or b@example.com", Reason.TWO_ADDRESSES),
        ("<a@example.com>, <b@example.com>", Reason.TWO_ADDRESSES),
        ("b@example.com <a@example.com>", Reason.TWO_ADDRESSES),
        ("mailto:a@example.com,b@example.com", Reason.TWO_ADDRESSES),
        ("a@example.com\nb@example.com", Reason.TWO_ADDRESSES), ("a@@example.com", Reason.TWO_ADDRESSES),
        ("a@b@example.com", Reason.TWO_ADDRESSES),
        ("sarah@example.c", Reason.SHORT_ENDING), ("sarah@example.123", Reason.DIGITS_ENDING),
        ("sarah@example.1", Reason.DIGITS_ENDING),
        ("a" * 65 + "@example.com", Reason.LOCAL_PART_TOO_LONG),
        ("ü" * 33 + "@example.com", Reason.LOCAL_PART_TOO_LONG),
        ('"' + "a b" * 21 + '"@example.com', Reason.LOCAL_PART_TOO_LONG),
        (f"sarah.johnson@{LONG_DOMAIN}.com", Reason.ADDRESS_TOO_LONG), ("a" * 3000, Reason.TOO_LONG),
        ("sarah..j@example.com", Reason.BAD_LOCAL_PART), (".sarah@example.com", Reason.BAD_LOCAL_PART),
        ("sarah.@example.com", Reason.BAD_LOCAL_PART), ("<sarah@example.com", Reason.BAD_LOCAL_PART),
        ("sarah,j@example.com", Reason.BAD_LOCAL_PART), ("a\\b@example.com", Reason.BAD_LOCAL_PART),
        ("\ud800@example.com", Reason.BAD_LOCAL_PART), ("sa\x00rah@example.com", Reason.BAD_LOCAL_PART),
        ("sarah@example..com", Reason.BAD_DOMAIN), ("sarah@.example.com", Reason.BAD_DOMAIN),
        ("sarah@-example.com", Reason.BAD_DOMAIN), ("sarah@example-.com", Reason.BAD_DOMAIN),
        ("sarah@exa_mple.com", Reason.BAD_DOMAIN), ("sarah@example.com..", Reason.BAD_DOMAIN),
        ("sarah@example.com;;", Reason.BAD_DOMAIN), ("[sarah@example.com]", Reason.BAD_DOMAIN),
        ("sarah@" + "d" * 64 + ".com", Reason.BAD_DOMAIN), ("sarah@xn--zzzzzz--.com", Reason.BAD_DOMAIN),
        ("sarah@a.test", Reason.RESERVED_DOMAIN), ("sarah@printer.local", Reason.RESERVED_DOMAIN),
        ("nobody@nowhere.invalid", Reason.RESERVED_DOMAIN),
    ],
)  # fmt: skip
def test_what_is_no_single_address_is_refused_with_the_reason(raw: str, reason: Reason) -> None:
    read = normalise_email(raw)
    assert (read.canonical, read.reason) == ("", reason)
    assert not read.is_valid
    assert not read.identifying


@pytest.mark.parametrize(
    ("raw", "meant"),
    [("sarah@gmial.com", "gmail.com"), ("sarah@gmai.com", "gmail.com"), ("sarah@gamil.com", "gmail.com"),
     ("sarah@gmail.con", "gmail.com"), ("sarah@gmail.co", "gmail.com"), ("sarah@gmaill.com", "gmail.com"),
     ("sarah@hotmial.com", "hotmail.com"), ("sarah@yaho.com", "yahoo.com"), ("sarah@outlok.com", "outlook.com"),
     ("sarah@iclod.com", "icloud.com"), ("sarah@example.con", "example.com"), ("sarah@gmailcom.com", ""),
     ("sarah@mail.com", ""), ("sarah@ymail.com", ""), ("sarah@gmail.com", ""), ("sarah@example.co", "")],
)  # fmt: skip
def test_a_mistyped_domain_is_hinted_at_and_never_repaired(raw: str, meant: str) -> None:
    read = normalise_email(raw)
    assert read.canonical == raw
    assert read.hint == (f"did you mean {meant}?" if meant else "")
    assert read.identifying


@pytest.mark.parametrize(
    "raw",
    ["info@example.com", "SALES@example.com", "office@example.com", "admin+crm@example.com", "no-reply@example.com",
     "contact@example.com", "support@example.co.uk", "hello@example.com", "bookings@example.com", "billing@example.com",
     "webmaster@example.com", "kontakt@example.de", "noreply@example.com"],
)  # fmt: skip
def test_a_role_mailbox_is_valid_and_names_nobody(raw: str) -> None:
    read = normalise_email(raw)
    assert read.is_valid
    assert (read.hint, read.identifying) == (Hint.ROLE_MAILBOX, False)


@pytest.mark.parametrize(
    "raw",
    ["test@test.com", "TEST@test.com", "test@example.com", "none@none.com", "asdf@asdf.com", "no@email.com", "x@x.com",
     "noemail@example.org", "noemail@gmail.com",
     "test@gmail.com", "asdf@yahoo.com", "None@hotmail.com", "sarah@noemail.com", "test+1@test.com", "fake@fake.com"],
)  # fmt: skip
def test_a_blocked_value_is_valid_and_names_nobody(raw: str) -> None:
    read = normalise_email(raw)
    assert read.is_valid
    assert (read.hint, read.identifying) == (Hint.BLOCKED_VALUE, False)


@pytest.mark.parametrize(
    "raw", ["sarah@test.com", "a@b.com", "information.j@example.com", "salesman@example.com", SARAH]
)
def test_what_only_looks_like_one_names_its_owner(raw: str) -> None:
    assert normalise_email(raw).identifying


@given(addresses)
def test_anything_is_an_address_or_refused(raw: str) -> None:
    read = normalise_email(raw)
    if not read.is_valid:
        assert read.reason in set(Reason)
        assert (read.canonical, read.alias_key, read.ext) == ("", "", "")
        return
    assert normalise_email(read.canonical) == read
    assert unicodedata.is_normalized("NFC", read.canonical)
    domain = read.canonical.rpartition("@")[2]
    assert domain.isascii()
    assert "." in domain
    assert domain == domain.lower()
    assert normalise_email(read.alias_key).alias_key == read.alias_key
    assert len(read.canonical.encode()) <= 254


plain = st.from_regex(
    r"[A-Za-z0-9._+-]{1,12}@[A-Za-z0-9.-]{1,14}\.[a-z]{1,4}|[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,8}@[a-z]{1,8}\.com",
    fullmatch=True,
)
wrapping = st.sampled_from(
    ["{}", "mailto:{}", "mailto:{}?subject=x", "<{}>", "Sarah <{}>", "E-Mail: {}", "({})", "'{}'", '"{}"', "{}.", "{};",
     " {} ", "\u200b{}", "{}, {}", "\u201c{}\u201d"]
)  # fmt: skip


@given(plain | addresses)
def test_the_short_cut_gives_what_the_long_way_gives(raw: str) -> None:
    short = read_plain(raw)
    assert short is None or short == read_any(raw)


@given(st.builds(lambda form, address: form.replace("{}", address), wrapping, plain | addresses))
def test_what_is_unwrapped_first_gives_what_the_long_way_gives(raw: str) -> None:
    assert normalise_email(raw) == read_any(raw)


@given(
    plain, st.sampled_from("\u200b\u00ad\u202e\u2060\ufeff"), st.integers(0, 30), st.sampled_from(" \t\n\u00a0\u3000")
)
def test_case_and_what_nobody_sees_change_nothing(raw: str, invisible: str, place: int, space: str) -> None:
    read = normalise_email(raw)
    assert normalise_email(space + raw.upper() + space) == read
    assert normalise_email(raw[:place] + invisible + raw[place:]) == read
    assert normalise_email(f"Sarah <{raw}>") == read
