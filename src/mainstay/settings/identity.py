"""The rules of identity, from how a stack sets them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainstay.identity import Policy

if TYPE_CHECKING:
    from mainstay.settings.schema import IdentityTable

_NONE: Mapping[str, str] = MappingProxyType({})


def policy_of(
    identity: IdentityTable,
    owners: Mapping[str, str] = _NONE,
    copies: Mapping[str, str] = _NONE,
    system_of_record: str = "",
) -> Policy:
    """Return the rules of identity as a stack sets them; what else is given is as in :class:`Policy`."""
    return Policy(
        order=tuple(dict.fromkeys((identity.primary, *identity.also))),
        bridges=identity.bridges,
        shared_phones=identity.shared_phones,
        max_emails=identity.max_emails,
        max_phones=identity.max_phones,
        blocked=frozenset(identity.blocked),
        auto_merge=2.0 if identity.auto_merge is None else identity.auto_merge,
        suggest=2.0 if identity.suggest == "off" else identity.suggest,
        owners=dict(owners),
        copies=dict(copies),
        system_of_record=system_of_record,
    )
