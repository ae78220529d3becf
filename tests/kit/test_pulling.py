from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import PermanentError
from mainstay.kit import Response
from mainstay.kit.pulling import Cursor, utc

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001 the zone is set below


@given(MOMENTS, st.from_regex(r"\A[\w-]{0,64}\Z", fullmatch=True).filter(str.isascii))
def test_a_cursor_reads_back(moment: datetime, after: str) -> None:
    since = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    assert Cursor.read(Cursor(since, after).write()) == Cursor(since, after)


def test_an_empty_cursor_is_the_beginning() -> None:
    assert Cursor.read("") == Cursor()
    assert Cursor.read(Cursor().write()) == Cursor()


@given(st.text(min_size=1))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="is no cursor of a pull"):
        Cursor.read(text)


@pytest.mark.parametrize(
    "text", ["2026-02-30T00:00:00Z", "2026-01-05T09:00:00+00:00", "2026-01-05T09:00:00Z|", "|x", " "]
)
def test_nearly_a_cursor_is_none(text: str) -> None:
    with pytest.raises(PermanentError):
        Cursor.read(text)


def test_the_end_goes_back_by_the_lag_of_the_vendors_own_clock() -> None:
    answer = Response(200, {"date": "Mon, 05 Jan 2026 09:10:00 GMT"}, b"")
    assert Cursor.caught_up(answer, timedelta(minutes=10)).write() == "2026-01-05T09:00:00.000Z"


def test_a_time_is_written_as_vendors_read_it() -> None:
    assert utc(datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)) == "2026-01-05T09:00:00.123Z"
