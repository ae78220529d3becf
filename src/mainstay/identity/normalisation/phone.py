"""Phone numbers: to E.164, with the extension apart; refused rather than guessed.

What people and programs write around a number is understood here; which numbers exist is libphonenumber's to say.
Numbers written in the plain way take a short cut (see ``numbering``) to the same answer.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from phonenumbers import (
    SUPPORTED_REGIONS,
    CountryCodeSource,
    NumberParseException,
    PhoneNumber,
    PhoneNumberType,
    convert_alpha_characters_in_number,
    country_code_for_region,
    is_valid_number,
    national_significant_number,
    number_type,
    parse,
)

from mainstay.identity.normalisation.numbering import read_international, read_national
from mainstay.identity.normalisation.result import Hint, Normalised, Reason, Status, refuse
from mainstay.identity.normalisation.shared import SUSPECT_ENDS, is_blocked_phone
from mainstay.identity.normalisation.text import is_placeholder, to_ascii_digits, to_ascii_forms

MEXICO: Final = 52
MAX_RAW: Final = 250
"""A longer text is no phone number, whatever stands around it."""


def normalise_phone(raw: str, region: str) -> Normalised:
    """Read a phone number. ``region`` (two letters of ISO 3166) reads what has no country code; "" is none."""
    return read_plain(raw, region) or (read_any(raw, region) if raw else _NOTHING)


def read_plain(raw: str, region: str) -> Normalised | None:
    """Read a number of digits and the usual punctuation; None where the long way has to decide."""
    if raw[:1] == "'":
        raw = raw[1:]
    has_plus = raw[:1] == "+"
    digits = raw[1:] if has_plus else raw
    if digits.isdecimal() and digits.isascii():
        return _read_digits(digits, region, has_plus=has_plus)
    digits = raw.translate(_PUNCTUATION)
    has_plus = digits[:1] == "+"
    if has_plus:
        digits = digits[1:]
    if not (digits.isdecimal() and digits.isascii()):
        return _read_extended(raw, region)
    if (
        not 8 < len(digits) < 16
        # ".0" has a meaning of its own.
        or ("." in raw and _DECIMALS(raw) is not None)
        or (has_plus and digits[0] in _NO_CODES and f"+{digits[:2]}" not in raw)
        or (len(digits) > 11 and _may_be_two(raw, digits, region))
    ):
        return None
    if "(" in raw and _TRUNK_ZERO.search(raw) is not None:
        return _read_both(digits, _TRUNK_ZERO.sub("", raw).translate(_PUNCTUATION)[1:]) if has_plus else None
    return _read_digits(digits, region, has_plus=has_plus)


def _read_digits(digits: str, region: str, *, has_plus: bool) -> Normalised | None:
    # Of 8 digits it may be a date.
    if not 8 < len(digits) < 16:
        return None
    canonical = read_international(digits) if has_plus else read_national(digits, region)
    if not canonical:
        return None if canonical is None else _NO_SUCH_NUMBER
    if canonical[-7:] in SUSPECT_ENDS and is_blocked_phone(canonical):
        return Normalised(_VALID, canonical, hint=Hint.BLOCKED_VALUE, identifying=False)
    return _new(Normalised, (_VALID, canonical, "", "", "", "", True))


_PUNCTUATION = dict.fromkeys(map(ord, " \t\r()-."))
_DECIMALS = re.compile(r"\s*\+?\d+\.0+\s*").fullmatch
_NO_CODES = frozenset("2345689")
"""Digits that are no country code by themselves."""
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")


def _read_extended(raw: str, region: str) -> Normalised | None:
    """Read a plain number with a plain extension."""
    found = _PLAIN_EXTENSION(raw)
    read = None if found is None else read_plain(found[1], region)
    return read and (read._replace(ext=found[2]) if found is not None and read.is_valid else read)


_PLAIN_EXTENSION = re.compile(r"([0-9+(][0-9 ().+-]*[0-9]) ?(?:x|ext\.?) ?([0-9]{1,7})").fullmatch


def _read_both(digits: str, without_zero: str) -> Normalised | None:
    """Read an international number with a "(0)" in it."""
    one, other = read_international(digits), read_international(without_zero)
    if one is None or other is None:
        return None
    if one and other and one != other:
        return refuse(Reason.AMBIGUOUS)
    return _describe(one or other, "") if one or other else _NO_SUCH_NUMBER


def _may_be_two(raw: str, digits: str, region: str) -> bool:
    """Tell whether a gap may part two numbers, as far as that is told without the library."""
    for gap in _GAPS(raw):
        one = raw[: gap.start()].translate(_PUNCTUATION)
        other = digits[len(one) - one.startswith("+") :]
        if min(len(one), len(other)) > 5 and _may_be_number(one, region) and _may_be_number(other, region):
            return True
    return False


def _may_be_number(digits: str, region: str) -> bool:
    read = read_international(digits[1:]) if digits.startswith("+") else read_national(digits, region)
    return read != ""


_NOTHING = refuse(Reason.EMPTY)
_NO_SUCH_NUMBER = refuse(Reason.NO_SUCH_NUMBER)


def read_any(raw: str, region: str) -> Normalised:
    """Read a number the long way, which knows every form."""
    if len(raw) > MAX_RAW:
        return refuse(Reason.TOO_LONG)
    text = _BLANKS.sub(" ", to_ascii_digits(to_ascii_forms(raw)).translate(_LOOKALIKES)).strip()
    if is_placeholder(text):
        return refuse(Reason.PLACEHOLDER if text else Reason.EMPTY)
    text = _SPREADSHEET.sub(r"\1", text.strip("'\"`‘’“” ").removeprefix('="').strip())
    if _EXPONENT(text) is not None:
        return refuse(Reason.EXPONENT)
    text, ext = _split_extension(_unlabel(text))
    reason = _fault(text, region)
    if reason is not None:
        return refuse(reason)
    spelt = text if _LETTER(text) is not None else ""
    if spelt:
        text = convert_alpha_characters_in_number(text)
    found = {number for form in _forms(text) for number in _readings(form, _known(region))}
    if len(found) == 1:
        canonical = found.pop()
        is_own = not spelt or _is_spelt(canonical, spelt)
        return _describe(canonical, ext) if is_own else refuse(Reason.TEXT_BESIDE)
    if found:
        return refuse(Reason.AMBIGUOUS)
    has_code = "+" in text or text.lstrip("(").startswith("00")
    return refuse(Reason.NO_SUCH_NUMBER if has_code or _known(region) else Reason.NO_REGION)


def _describe(canonical: str, ext: str) -> Normalised:
    if is_blocked_phone(canonical):
        return Normalised(_VALID, canonical, "", ext, hint=Hint.BLOCKED_VALUE, identifying=False)
    return _new(Normalised, (_VALID, canonical, "", ext, "", "", True))


_new = tuple.__new__  # what Normalised() does, in a third of the time
_VALID = Status.VALID

# Dashes, spaces and plus signs of other keyboards; a keycap's frame.
_LOOKALIKES = {
    **dict.fromkeys(map(ord, "‐‑‒–—―−ー─－﹣⁃·•∙"), "-"),
    **dict.fromkeys(map(ord, "⁄∕"), "/"),
    **dict.fromkeys(map(ord, "﹢➕"), "+"),
    **dict.fromkeys(map(ord, "٫"), "."),
    0x20E3: None,
}
_BLANKS = re.compile(r"[^\S\n]+")
# Not the end of a number whose pairs are parted by dots: 06.12.34.56.00.
_SPREADSHEET = re.compile(r"^(\+?\d+)\.0+$")
_EXPONENT = re.compile(r"\+?\d+(?:[.,]\d*)?\s*e\s*[+-]?\s*\d+", re.IGNORECASE).fullmatch
_LETTER = re.compile(r"[a-z]", re.IGNORECASE).search
_URI = re.compile(r"(?:tel|callto|sms|whatsapp)\s*:(?://)?", re.IGNORECASE).match
_WORDS = (
    r"(?:tele)?phone(?: ?(?:number|no|nr))?|telefon|tel[eé]fono|t[eé]l[eé]phone|tel|ph|mobile|mob|cell(?:ular)?|handy|"
    r"home|work|office|direct|landline|main|whatsapp|call"
)
_LABEL_BEFORE = re.compile(rf"(?:(?:{_WORDS})(?: phone)?\s*[.:#)-]*|[tmpcwh]\s*[.:])\s*(?=[\d+(])", re.IGNORECASE).match
_LABEL_BEHIND = re.compile(
    rf"[\s,;-]*(?:\((?:{_WORDS}|[tmpcwh])\)|\[(?:{_WORDS}|[tmpcwh])\]|(?<=[\s-])(?:{_WORDS}))\s*$", re.IGNORECASE
)


def _unlabel(text: str) -> str:
    """Take off what says that this is a phone number: "tel:" and its parameters, "Mobile:", "(home)"."""
    uri = _URI(text)
    if uri is not None:
        number, *parameters = unquote(text[uri.end() :]).split(";")
        named = {name.strip().lower(): value for name, _, value in (each.partition("=") for each in parameters)}
        context = named.get("phone-context", "").strip()
        if context.startswith("+") and not number.strip().startswith("+"):
            number = f"{context} {number}"
        return f"{number};ext={named['ext']}" if named.get("ext") else number
    label = _LABEL_BEFORE(text)
    if label is not None:
        text = text[label.end() :]
    return _LABEL_BEHIND.sub("", text)


def _split_extension(text: str) -> tuple[str, str]:
    found = _EXTENSION(text)
    if found is None:
        return text.rstrip(" ,;./-"), ""
    return text[: found.start()].rstrip(" ,;./-(["), found["ext"] or ""


_EXTENSION = re.compile(
    r"""(?:
      ;\s*ext=\s* | ,{2,}\s* | [\s,;/(\[-]*\#\s*
      | [\s,;/(\[.-]*(?<![^\W\d_])
        (?:extensi[oó]n|e?xtn?|x|ramal|anexo|anx|interno|int|poste|durchwahl|dw|доб|доп|вн)
        [.:=\#\s-]*(?:(?:no|nr|number)\b[.:\s]*)?
    )
    (?P<ext>\d{1,9})?\#?[)\]\s.]*$""",
    re.IGNORECASE | re.VERBOSE,
).search


def _fault(text: str, region: str) -> Reason | None:
    """Return what makes a text no single number, before anybody asks whether the number exists."""
    if _NUMBERS(text) is not None or text.count("+") > 1:
        return Reason.TWO_NUMBERS
    if _HALF_CODE(text) is not None:
        return Reason.NO_SUCH_NUMBER
    if not _DIGIT(text) or _DATE(text) is not None:
        return Reason.NOT_A_NUMBER
    if _is_two_by_slash(text, region) or _is_two_by_gap(text, region):
        return Reason.TWO_NUMBERS
    if _LETTER(text) is not None:
        # Letters are a number's own only where it is none without them, as in 1-800-FLOWERS.
        is_vanity = _VANITY(text) is not None and not _is_number(
            re.sub(r"[a-z]", "", text, flags=re.IGNORECASE), region
        )
        return None if is_vanity else Reason.TEXT_BESIDE
    return None if _PLAIN(text) is not None else Reason.NOT_A_NUMBER


_DIGIT = re.compile(r"\d").search
# Behind a mark that parts, two digits or more are a second number; one mark at the end was dropped before.
_NUMBERS = re.compile(
    r"\d[^\d]*(?:[,;|&\n\\]|(?<![a-z])(?:or|and|oder|und|ou|et)(?![a-z])|\s(?:o|y|e)\s)[^\d]*\d", re.IGNORECASE
).search
# +8 (495) is Russia's trunk prefix behind a plus, not Vietnam.
_HALF_CODE = re.compile(r"\+[ (.-]*[2-689](?!\d)").search
_DATE = re.compile(
    r"\d{1,2}([./-])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2}(?:[ T]\d\d:\d\d.*)?"
).fullmatch
_VANITY = re.compile(r"(?=(?:.*[a-z]){3})\(?\+?[\d(][\d ().-]*[a-z][a-z\d .-]*", re.IGNORECASE).fullmatch
_PLAIN = re.compile(r"[ (.-]*\+?[\d ()\[\]./_-]*").fullmatch


def _is_spelt(canonical: str, text: str) -> bool:
    """Tell whether letters may be part of a number: 1-800-FLOWERS and (312) 555-HELP, not a name behind half a number.

    Only North America has letters in the numbers of a place, in the last seven digits or the last four.
    """
    if not canonical.startswith("+1"):
        return number_type(parse(canonical)) in _SPELT_TYPES
    written = "".join(filter(str.isalnum, text))
    start = len(written) - 10
    first = next(place for place, letter in enumerate(written) if letter.isalpha())
    return canonical[2:5] in _FREE_OF_CHARGE or first - start in {3, 6}


_SPELT_TYPES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.UAN,
    }
)
_FREE_OF_CHARGE = frozenset({"800", "833", "844", "855", "866", "877", "888"})


def _is_two_by_slash(text: str, region: str) -> bool:
    """Tell whether a slash parts two numbers; 030/123456 is one, as nothing is reached by 030 alone."""
    before, slash, behind = text.partition("/")
    return bool(slash) and _DIGIT(behind) is not None and _is_number(before, region)


def _is_two_by_gap(text: str, region: str) -> bool:
    """Tell whether a space or dash parts two numbers that make a third, longer one together."""
    return any(_is_number(one, region) and _is_number(other, region) for one, other in _halves(text))


def _halves(text: str) -> list[tuple[str, str]]:
    """Return the two sides of each space or dash that has six digits or more on both."""
    found = ((text[: gap.start()], text[gap.end() :]) for gap in _GAPS(text))
    return [(one, other) for one, other in found if min(map(_count_digits, (one, other))) > 5]


_GAPS = re.compile(r"(?<=.{6})[\s-]+(?=.{6})", re.DOTALL).finditer


def _count_digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _is_number(text: str, region: str) -> bool:
    return any(_readings(form, _known(region)) for form in _forms(text))


def _known(region: str) -> str:
    region = region.strip().upper()
    region = "GB" if region == "UK" else region
    return region if region in SUPPORTED_REGIONS else ""


def _forms(text: str) -> set[str]:
    """Return the digits of a number, with a ``+`` where it has one; with and without a "(0)" that nobody dials.

    Which of the two it is, the plan of its country says: Italy dials the zero, Germany does not.
    """
    is_international = text.lstrip("( ").startswith(("+", "00"))
    without = _TRUNK_ZERO.sub("", text) if is_international else text
    plus = "+" if "+" in text else ""
    return {plus + re.sub(r"\D", "", form) for form in (text, without)}


def _readings(digits: str, region: str) -> set[str]:
    """Return the E.164 forms of all numbers that digits may stand for: none, one, or rarely two."""
    found = {_resolve(digits, region)}
    if digits.startswith("00"):
        # Also where another exit code is dialled: people copy numbers from abroad.
        abroad = _resolve(f"+{digits[2:]}", "")
        if region and abroad and digits.startswith(f"00{country_code_for_region(region)}"):
            # In Brazil 0055 21 2... may be a call by carrier 55 to Morocco; nobody writes that down.
            return {abroad}
        found.add(abroad)
    return found - {""}


def _resolve(digits: str, region: str) -> str:
    if not 3 < len(digits) < 40 or not (region or digits.startswith("+")):
        return ""
    quick = read_international(digits[1:]) if digits.startswith("+") else read_national(digits, region)
    return resolve_by_library(digits, region) if quick is None else quick


def resolve_by_library(digits: str, region: str) -> str:
    """Return E.164 of digits (and a ``+``) as libphonenumber reads them, with Mexico's old prefixes; or ""."""
    try:
        number = parse(digits, region or None, keep_raw_input=True)
    except NumberParseException:
        return ""
    national = national_significant_number(number)
    if number.country_code == MEXICO:
        national = _without_old_prefix(number, national)
        if national.startswith("0"):
            return ""
        number = PhoneNumber(country_code=MEXICO, national_number=int(national or "0"))
    return f"+{number.country_code}{national}" if is_valid_number(number) else ""


def _without_old_prefix(number: PhoneNumber, national: str) -> str:
    """Return a Mexican number without what was dialled before it until 2019, and still is sent, by WhatsApp too.

    A leading 1 counts behind the country code alone: without it, it may as well be a number of the United States.
    """
    found = _OLD_MEXICAN(national)
    if found is None:
        return national
    is_local = number.country_code_source == CountryCodeSource.FROM_DEFAULT_COUNTRY
    return national if found[1] == "1" and is_local else found[2]


_OLD_MEXICAN = re.compile(r"(1|01|044|045)(\d{10})").fullmatch
