"""What the tables take that a stack's file can say in several ways."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mainstay.settings.identity import policy_of
from mainstay.settings.schema import IdentityTable


@pytest.mark.parametrize(("given", "least"), [({}, 0.7), ({"suggest": 0.5}, 0.5), ({"suggest": 1}, 1.0)])
def test_from_when_pairs_are_suggested(given: dict[str, object], least: float) -> None:
    assert policy_of(IdentityTable.model_validate(given)).suggest == least


def test_suggesting_can_be_off() -> None:
    assert policy_of(IdentityTable.model_validate({"suggest": "off"})).suggest > 1


@pytest.mark.parametrize("given", ["never", True, 1.5, 0.49, None, [0.7]])
def test_what_is_no_probability_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match='a probability from 0.5 to 1, or "off"'):
        IdentityTable.model_validate({"suggest": given})
