"""What a swap would lose, or trip over, by what both systems keep and can do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainstay.kit.rate import read_rates

if TYPE_CHECKING:
    from mainstay.kit import Connector

CALLS_A_CONTACT = 2
"""Calls that a contact takes: it is looked for, or its tags are, and it is written."""
BATCHES, BATCH, CALLS_A_BATCH = "crm.push_contacts", 50, 2
"""Where a connector takes batches: how many a mirror writes at once, and the calls of that; tags are read first."""
SHARE = 0.8
"""What a backfill may take of an account's budget."""
_OPTIONAL = {
    "crm.merge_contacts": "merges are not carried there",
    "crm.pull_contacts": "changes there come by webhook alone, so that a missed one is not healed",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person should know before: ``is_stop`` says that a swap would break something."""

    text: str
    hint: str = ""
    is_stop: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two connections: its connector, its settings, and the sources that bring its webhooks."""

    name: str
    connector: Connector
    settings: Any
    sources: tuple[str, ...] = ()

    @property
    def kept(self) -> frozenset[str]:
        """What of a contact it keeps."""
        return self.connector.contact_fields(self.settings)

    @property
    def operations(self) -> frozenset[str]:
        """What its role crm can do, as the ledger calls it."""
        able = {name for name in self.connector.idempotency if name.startswith("crm.")}
        return frozenset(able if self.connector.can_pull(self.settings) else able - {"crm.pull_contacts"})


def remarks(
    old: Side, new: Side, *, calls: Mapping[str, Collection[str]], in_use: Collection[str], unclear: Collection[str]
) -> list[Remark]:
    """Return what the new system lacks.

    ``calls`` is operation of the role crm to the places in workflows that call it; ``in_use`` the custom fields that
    contacts have; ``unclear`` the workflows whose calls cannot all be told by their source.
    """
    found = [
        Remark(
            f"workflows call {name}, which {new.connector.title} cannot do: {', '.join(sorted(places))}",
            "Take it out of the workflows, or keep the old system.",
            is_stop=True,
        )
        for name, places in sorted(calls.items())
        if name not in new.operations
    ]
    if "crm.add_tag" in calls and "tags" not in new.kept:
        found.append(
            Remark(
                f"workflows add tags, and {new.name} keeps none as it is set up",
                "Name a field for tags in its [connections] entry.",
                is_stop=True,
            )
        )
    lost = sorted(name for name in old.kept - new.kept if not name.startswith("custom."))
    if lost:
        found.append(Remark(f"{new.name} does not keep, as it is set up: {', '.join(lost)}", _map_hint(new)))
    mapped = {name.removeprefix("custom.") for name in old.kept if name.startswith("custom.")}
    unmapped = sorted(key for key in mapped.union(in_use) if f"custom.{key}" not in new.kept)
    if unmapped:
        found.append(
            Remark(
                f"custom fields that {new.name} has no place for: {', '.join(unmapped)}. They stay in Mainstay.",
                _map_hint(new),
            )
        )
    found += [
        Remark(f"{new.connector.title}: {text}")
        for name, text in _OPTIONAL.items()
        if name in old.operations - new.operations
    ]
    if old.sources and not new.sources:
        found.append(
            Remark(
                f"no source brings the webhooks of {new.name}; {', '.join(old.sources)} bring those of {old.name}",
                f'Add a source with connection = "{new.name}" to [sources].',
            )
        )
    if unclear:
        found.append(Remark(f"not all calls can be told by the source of: {', '.join(sorted(unclear))}"))
    return found


def seconds_of_backfill(side: Side, contacts: int) -> float:
    """Return about how long the account's rates let a backfill take, at the least."""
    rates = read_rates(side.settings.rate) if side.settings.rate else side.connector.rates(side.settings)
    calls = contacts * (CALLS_A_CONTACT if BATCHES not in side.connector.idempotency else CALLS_A_BATCH / BATCH)
    return max((calls / (SHARE * rate.allowed) * rate.seconds for rate in rates), default=0.0)


def _map_hint(side: Side) -> str:
    return f"Map them in [connections.{side.name}]; the page Set-up says how."
