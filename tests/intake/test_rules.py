from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors import all_source_kinds
from mainstay.intake import SourceBinding
from mainstay.intake.rules import MASK, delivery_key, headers_to_keep, url_to_keep
from tests.sources import request


def source(**settings: Any) -> SourceBinding:
    kind = all_source_kinds()["form"]
    return SourceBinding(UUID(int=1), "website", kind, kind.settings.model_validate({"kind": "form", **settings}), "US")


def test_the_senders_own_id_counts_for_ever() -> None:
    assert delivery_key(source(), request({}, {"Idempotency-Key": "a-1"})) == ("a-1", None)
    assert delivery_key(source(repeat_window=60), request({}, {"Idempotency-Key": "a-1"})) == ("a-1", None)


def test_without_one_the_payload_counts_for_the_window_alone() -> None:
    assert delivery_key(source(), request({})) == ("", None)
    key, window = delivery_key(source(repeat_window=60), request({"email": "a@b.co"}))
    assert window == timedelta(seconds=60)
    assert key == delivery_key(source(repeat_window=60), request({"email": "a@b.co"}))[0]
    assert key != delivery_key(source(repeat_window=60), request({"email": "b@b.co"}))[0]


@given(st.text(min_size=1, max_size=500).filter(lambda key: bool(key.strip())))
def test_a_key_fits_its_column(key: str) -> None:
    found, _ = delivery_key(source(), request({}, {"idempotency-key": key}))
    assert len(found) <= 200
    assert "\0" not in found


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Webhook-Secret", "Proxy-Authorization"])
def test_no_secret_header_is_kept(name: str) -> None:
    kept = headers_to_keep(source(), request({}, {name: "whsec_secret", "X-Other": "y" * 9000}))
    assert kept[name.lower()] == MASK
    assert len(kept["x-other"]) == 2000


def test_no_secret_parameter_is_kept() -> None:
    kept = url_to_keep(source(), request({}, query="secret=s3cret&utm=a%20b&token=t0ken"))
    assert kept.partition("?")[2] == f"secret={MASK}&utm=a+b&token={MASK}"
    assert url_to_keep(source(), request({})) == request({}).url
