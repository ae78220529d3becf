"""The rules of identity, from how a stack sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.identity import Policy

if TYPE_CHECKING:
    from mainstay.settings.schema import IdentityTable


def policy_of(identity: IdentityTable) -> Policy:
    """Return the rules of identity as a stack sets them."""
    return Policy(
        order=tuple(dict.fromkeys((identity.primary, *identity.also))),
        bridges=identity.bridges,
        shared_phones=identity.shared_phones,
        max_emails=identity.max_emails,
        max_phones=identity.max_phones,
        blocked=frozenset(identity.blocked),
        auto_merge=2.0 if identity.auto_merge is None else identity.auto_merge,
        suggest=2.0 if identity.suggest == "off" else identity.suggest,
    )
