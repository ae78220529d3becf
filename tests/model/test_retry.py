from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mainstay import Retry


def test_lengths_as_people_write_them() -> None:
    retry = Retry(first="2s", longest=90, give_up=timedelta(hours=2))
    assert (retry.first, retry.longest, retry.give_up) == (
        timedelta(seconds=2),
        timedelta(seconds=90),
        timedelta(hours=2),
    )
    assert Retry() == Retry(first=None, on_unsure=None)
    assert Retry(on_unsure="ask").on_unsure == "ask"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"first": "soon"}, "is not a duration"),
        ({"first": 0}, "first is 0.1 seconds or more"),
        ({"longest": -1}, "longest is 0.1 seconds or more"),
        ({"give_up": timedelta(seconds=-1)}, "give_up is 0 seconds or more"),
        ({"on_unsure": "guess"}, 'on_unsure is "repeat" or "ask", not \'guess\''),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Retry(**given)
