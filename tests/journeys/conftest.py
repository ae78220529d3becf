"""Every journey keeps the vendors' contracts: what our connectors sent, and what the sandbox answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainstay.sandbox.client import Sandbox
from tests.contracts.vendor_specs import specs_folder, validate_recorded


@pytest.fixture(autouse=True)
def _contracts(sandbox: Sandbox) -> Iterator[None]:
    yield
    records = sandbox.requests()
    if records:
        specs_folder()
    for record in records:
        validate_recorded(record)
