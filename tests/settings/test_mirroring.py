"""Mirrors that are declared rightly: what they are where the stack says little."""

from __future__ import annotations

from typing import get_args

import pytest

from mainstay.mirrors import MIRRORED_TYPES, MirroredType, fields_of
from mainstay.model import RecordType
from tests.settings.conftest import Load

STACK = """
[workspace]
name = "Acme"
timezone = "America/Chicago"
region = "US"
[connections]
sheet = { connector = "table_file", folder = "copies" }
"""


def test_each_type_has_a_table_of_its_own_and_its_fields_as_columns(load: Load) -> None:
    records = "".join(
        f'[records.{kind}]\nmirrors = ["{kind}s"]\n[mirrors.{kind}s]\nconnection = "sheet"\n' for kind in MIRRORED_TYPES
    )
    mirrors = load(STACK + records).mirrors

    assert [(each.record, each.table) for each in mirrors.values()] == [
        ("contact", "Contacts"),
        ("company", "Companies"),
        ("deal", "Deals"),
        ("invoice", "Invoices"),
        ("payment", "Payments"),
        ("task", "Tasks"),
        ("message", "Messages"),
        ("appointment", "Appointments"),
    ]
    assert mirrors["invoices"].columns == {
        "Reference": "reference",
        "Number": "number",
        "Status": "status",
        "Total": "total",
        "Paid": "paid",
        "Currency": "currency",
        "Due": "due",
        "Link": "url",
        "Contact": "contact.name",
        "Contact e-mail": "contact.email",
    }
    assert len({each.layout for each in mirrors.values()}) == len(MIRRORED_TYPES)


@pytest.mark.parametrize("kind", ["contact", *get_args(RecordType)])
def test_the_usual_columns_are_fields_of_the_type(load: Load, kind: MirroredType) -> None:
    mirror = load(f'{STACK}[records.{kind}]\nmirrors = ["sheet"]').mirrors["sheet"]

    assert set(mirror.columns.values()) <= fields_of(kind)
    assert mirror.shows_contacts is (kind != "contact")


def test_columns_of_the_stack_s_own(load: Load) -> None:
    said = (
        '[records.deal]\nmirrors = ["sheet"]\n[mirrors.sheet]\ntable = "Pipeline"\ncolumns = { "Roof" = "custom.roof" }'
    )
    mirror = load(STACK + said).mirrors["sheet"]

    assert (mirror.table, mirror.columns, mirror.shows_contacts) == ("Pipeline", {"Roof": "custom.roof"}, False)
