"""The numbering plans of libphonenumber's metadata, compiled, for numbers written in the plain way.

``phonenumbers`` interprets its metadata anew for each number. Here each country's patterns become one expression for
each length of number, and what needs no further thought is answered by it; a property test holds the answers to those
of ``phonenumbers``, whose metadata, in the version installed, is the only source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata, PhoneNumberDesc

_Match = Callable[[str], Any]
_TYPES = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip
_WORLD = "001"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a region dials: its country code, its exit code, and what precedes a number dialled within it."""

    code: str
    exit_code: _Match
    dials_00: bool
    prefix: _Match | None
    is_rewritten: bool
    general: _Match
    lengths: frozenset[int]
    given_out: dict[int, _Match]
    is_alone: bool
    """Whether no other region shares the plan: what is given out is then whole."""
    without_prefix: frozenset[str]
    """The digits with which neither a trunk prefix begins nor an exit code: they begin the number itself."""


def read_international(digits: str) -> str | None:
    """Return E.164 of digits behind a ``+``, "" where there is no such number, None where the library has to decide."""
    plan = _BY_DIGITS.get(digits[0]) or _BY_DIGITS.get(digits[:2]) or _BY_DIGITS.get(digits[:3])
    if plan is None:
        plan = _find_plan(digits)
        if plan is None:
            return None
    national = digits[len(plan.code) :]
    if national[:1] in plan.without_prefix:
        match = plan.given_out.get(len(national))
        if match is not None and match(national) is not None:
            return f"+{digits}"
    return _read_dialled(national, plan)


def read_national(digits: str, region: str) -> str | None:
    """Return E.164 of digits dialled within a region, "" where there is no such number, None as above."""
    plan = _BY_REGION.get(region) or _plan_of(region)
    if plan is None:
        return None
    if digits[0] in plan.without_prefix and not digits.startswith(plan.code):
        match = plan.given_out.get(len(digits))
        if match is not None and match(digits) is not None:
            return f"+{plan.code}{digits}"
    elif digits.startswith("00"):
        return _read_from_abroad(digits, plan)
    if not plan.dials_00 and plan.exit_code(digits) is not None:
        return None
    return _read_with_code(digits, plan) if digits.startswith(plan.code) else _read_dialled(digits, plan)


def _read_from_abroad(digits: str, plan: _Plan) -> str | None:
    """Read what begins with 00, which is dialled in most countries before a country code."""
    if digits[2] == "0":
        return None
    is_known = plan.dials_00 or digits.startswith(plan.code, 2)
    if not is_known and (plan.exit_code(digits) is not None or _read_dialled(digits, plan) != ""):
        return None
    return read_international(digits[2:])


def _read_dialled(digits: str, plan: _Plan) -> str | None:
    """Read what is dialled within a country, with its trunk prefix or without."""
    prefix = plan.prefix(digits) if plan.prefix is not None else None
    if prefix is not None:
        if plan.is_rewritten and prefix.re.groups and prefix[prefix.re.groups] is not None:
            return None
        without = digits[prefix.end() :]
        match = plan.given_out.get(len(without))
        if match is not None and match(without) is not None:
            # What is dialled only within its area, or only in another region of the plan, keeps its prefix.
            is_whole = plan.is_alone or (len(without) in plan.lengths and plan.general(without) is not None)
            return f"+{plan.code}{without}" if is_whole else None
    elif _is_given_out(plan, digits):
        return f"+{plan.code}{digits}"
    # What begins like the country's own code may be read without it; Mexico has rules of ours.
    is_open = digits.startswith(plan.code) or (plan.code == _MEXICO and len(digits) > 10)
    return None if is_open or (prefix is not None and _is_given_out(plan, digits)) else ""


_MEXICO = "52"


def _read_with_code(digits: str, plan: _Plan) -> str | None:
    """Read what begins like the country's own code, which it may be or not."""
    is_bare = plan.prefix is None or plan.prefix(digits) is None
    is_whole = len(digits) in plan.lengths and plan.general(digits) is not None
    if is_bare and is_whole and _is_given_out(plan, digits):
        return f"+{plan.code}{digits}"
    rest = digits[len(plan.code) :]
    if plan.general(digits) is not None or (plan.prefix is not None and plan.prefix(rest) is not None):
        return None
    # A plan that several regions share is read by its main region's habits from here on.
    main = _plan_of(COUNTRY_CODE_TO_REGION_CODE[int(plan.code)][0])
    if main is None or plan.general(rest) is None or (main.prefix is not None and main.prefix(rest) is not None):
        return None
    return f"+{digits}" if _is_given_out(plan, rest) else None


def _is_given_out(plan: _Plan, national: str) -> bool:
    """Tell whether a national number is valid: what ``phonenumbers.is_valid_number`` asks."""
    match = plan.given_out.get(len(national))
    return match is not None and match(national) is not None


_BY_REGION: dict[str, _Plan] = {}
_BY_DIGITS: dict[str, _Plan] = {}


def _find_plan(digits: str) -> _Plan | None:
    if digits.startswith("0"):
        return None
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is not None:
            plan = None if regions[0] == _WORLD else _plan_of(regions[0])
            if plan is not None:
                _BY_DIGITS[digits[:length]] = plan
            return plan
    return None


def _plan_of(region: str) -> _Plan | None:
    if region not in SUPPORTED_REGIONS:
        return None
    if region not in _BY_REGION:
        metadata = PhoneMetadata.metadata_for_region(region, None)
        if metadata is None or metadata.country_code is None:
            return None
        code = metadata.country_code
        prefix, exit_code = metadata.national_prefix_for_parsing, metadata.international_prefix
        _BY_REGION[region] = _Plan(
            code=str(code),
            exit_code=re.compile(exit_code or "(?!)").match,
            dials_00=exit_code == "00",
            prefix=re.compile(prefix).match if prefix else None,
            is_rewritten=bool(metadata.national_prefix_transform_rule),
            general=re.compile(_general(metadata).national_number_pattern or "(?!)").fullmatch,
            lengths=frozenset(_general(metadata).possible_length),
            given_out=_given_out(code),
            is_alone=len(COUNTRY_CODE_TO_REGION_CODE[code]) == 1,
            without_prefix=_DIGITS - {"0"} - _first_digits(prefix) - _first_digits(exit_code),
        )
    return _BY_REGION[region]


_DIGITS = frozenset("0123456789")


def _first_digits(pattern: str | None) -> frozenset[str]:
    """Return the digits with which a match may begin; all of them, where the pattern does not say it plainly."""
    if not pattern:
        return frozenset()
    is_plain = (
        pattern[0] in _DIGITS and "|" not in re.sub(r"\([^()]*\)", "", pattern) and pattern[1:2] not in set("?*{")
    )
    return frozenset(pattern[0]) if is_plain else _DIGITS


@cache
def _given_out(code: int) -> dict[int, _Match]:
    """Return what is given out in all regions of a plan, by length of number.

    A region whose numbers begin in a way of their own answers for all that begin so; the others are asked in turn.
    """
    found: dict[int, list[str]] = {}
    leads: list[str] = []
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region(region, None)
        if metadata is None:
            continue
        lead = metadata.leading_digits if len(regions) > 1 else None
        guard = (rf"(?={lead})" if lead else "") + (f"(?!{'|'.join(leads)})" if leads else "")
        for length, pattern in _given_out_in(metadata).items():
            found.setdefault(length, []).append(guard + pattern)
        if lead:
            leads.append(lead)
    return {length: re.compile("|".join(patterns)).fullmatch for length, patterns in found.items()}


def _general(metadata: PhoneMetadata) -> PhoneNumberDesc:
    if metadata.general_desc is None:
        raise LookupError(f"phonenumbers has no numbering plan of {metadata.id}")
    return metadata.general_desc


def _given_out_in(metadata: PhoneMetadata) -> dict[int, str]:
    general = _general(metadata)
    described = [desc for name in _TYPES if (desc := getattr(metadata, name)) and desc.national_number_pattern]
    found: dict[int, str] = {}
    for length in general.possible_length:
        patterns = dict.fromkeys(
            str(desc.national_number_pattern)
            for desc in described
            if not desc.possible_length or length in desc.possible_length
        )
        if patterns:
            found[length] = rf"(?=(?:{general.national_number_pattern})\Z)(?:{'|'.join(patterns)})"
    return found
