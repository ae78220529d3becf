"""Looking for what an earlier try may have done: which of a vendor's records can be it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from mainstay.kit.payload import moment

if TYPE_CHECKING:
    from mainstay.kit.http import Http, Response

_SLACK_SECONDS = 2.0
_MARKUP = re.compile(r"<[^<>]*>")


def is_of_this_try(created: object, answer: Response, http: Http) -> bool:
    """Tell whether a record that the vendor made at ``created`` (ISO 8601) can come of a try of this step.

    Its age is taken by the vendor's clock and the time since the try by ours, so that the two need not agree.
    """
    made = moment(created)
    if made is None:
        return False
    return (answer.moment - made).total_seconds() <= http.tried_ago + _SLACK_SECONDS


def same_text(one: object, other: str) -> bool:
    """Tell whether two texts read alike, whatever mark-up and white space a vendor has made of one."""
    return isinstance(one, str) and _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub(" ", text)).split())
