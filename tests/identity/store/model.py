"""The rules of identity as a plain in-memory book, written from their text: what the store is held against.

It knows nothing of mainstay: no module of it is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from uuid import UUID

Instant = tuple[int, int]
"""(0, minutes) for a time in the past that the writer gave, (1, count) for what was said just now."""
FIELDS = ("email", "phone", "first_name", "last_name", "company", "source")
TRUST = {"manual": 4, "merge": 3, "crm": 2, "form": 1, "import": 0}
LIMIT = 5
ROLE = "info@example.com"
NICKNAME = {"bob", "robert"}


@dataclass
class Word:
    """Something said: values by field, of one home, at an instant."""

    order: int
    home: UUID
    at: Instant
    kind: str
    values: dict[str, str]
    tags: tuple[str, ...] = ()
    by_merge: UUID | None = None
    content: object = None


@dataclass
class Home:
    """A contact as it was made; ``into`` is what it is merged into."""

    id: UUID
    into: UUID | None = None
    is_deleted: bool = False
    opted_out: list[Instant] = field(default_factory=list)
    consented: list[Instant] = field(default_factory=list)


@dataclass
class Merge:
    survivor: UUID
    merged: UUID
    is_undone: bool = False


@dataclass
class Answer:
    """What a write is expected to bring about. ``contact`` None with ``new`` means one that is not there yet."""

    outcome: str
    contact: UUID | None
    merged: tuple[UUID, ...] = ()
    opened: int = 0


class Model:
    def __init__(self) -> None:
        self.homes: dict[UUID, Home] = {}
        self.words: list[Word] = []
        self.owned: dict[tuple[str, str], dict[UUID, str]] = {}  # key -> home -> owner, shared, weak
        self.elsewhere: dict[str, UUID] = {}  # id in the one other system -> home
        self.merges: dict[UUID, Merge] = {}
        self.pairs: dict[tuple[UUID, UUID], str] = {}
        self.erased: dict[tuple[str, str], tuple[Instant | None, Instant | None]] = {}
        self._count = 0

    # Who is who -------------------------------------------------------------------------------------------------

    def now(self) -> Instant:
        self._count += 1
        return (1, self._count)

    def root(self, home: UUID) -> UUID:
        while (into := self.homes[home].into) is not None:
            home = into
        return home

    def group(self, contact: UUID) -> set[UUID]:
        """The contact and all that is below it, whatever it is merged into itself."""
        found = {contact}
        while more := {h.id for h in self.homes.values() if h.into in found} - found:
            found |= more
        return found

    def standing(self) -> list[UUID]:
        return [home.id for home in self.homes.values() if home.into is None and not home.is_deleted]

    def named_by(self, key: tuple[str, str]) -> list[UUID]:
        return sorted({self.root(home) for home, how in self.owned.get(key, {}).items() if how != "weak"})

    def identifiers(self, contact: UUID) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for key, homes in self.owned.items():
            for home, how in homes.items():
                if self.root(home) == contact and found.get(key) != "owner":
                    found[key] = how
        return found

    def strong(self, contact: UUID, kind: str) -> set[str]:
        return {value for (k, value), how in self.identifiers(contact).items() if k == kind and how != "weak"}

    # What stands -------------------------------------------------------------------------------------------------

    def words_of(self, contact: UUID) -> list[Word]:
        group = self.group(contact)
        return [
            word
            for word in self.words
            if word.home in group and (word.by_merge is None or self._is_within(self.merges[word.by_merge], group))
        ]

    @staticmethod
    def _is_within(merge: Merge, group: set[UUID]) -> bool:
        return not merge.is_undone and {merge.survivor, merge.merged} <= group

    def best(self, contact: UUID) -> dict[str, tuple[str, Word]]:
        """Field to the value that stands and who said it."""
        mine = self.identifiers(contact)
        found: dict[str, tuple[str, Word]] = {}
        names = {name for word in self.words_of(contact) for name in word.values}
        for name in names:
            said = []
            for word in self.words_of(contact):
                if name not in word.values:
                    continue
                text = word.values[name]
                if not text and word.kind != "manual":
                    continue
                if name in {"email", "phone"} and text and (name, text) not in mine:
                    continue
                said.append((text, word))
            if said:
                found[name] = min(said, key=lambda pair, name=name: self._order(name, *pair))  # type: ignore[misc]
        return found

    def _order(self, name: str, text: str, word: Word) -> tuple[Any, ...]:
        """The smallest wins."""
        by_hand = word.kind == "manual"
        back = (-word.at[0], -word.at[1])
        if name == "source" and not by_hand:
            # Where somebody came from: what a person chose, else the first.
            if word.kind == "merge":
                return (1, 0, back, word.order)
            return (1, 1, word.at, word.order)
        is_thin = name in {"first_name", "last_name"} and len(text.rstrip(".")) == 1
        is_nobodys = (text == ROLE or f"weak {name}" in word.values) and word.by_merge is None
        return (0 if by_hand else 1, int((is_thin or is_nobodys) and not by_hand), back, -TRUST[word.kind], word.order)

    def value(self, contact: UUID, name: str) -> str:
        found = self.best(contact).get(name)
        return found[0] if found else ""

    def tags(self, contact: UUID) -> set[str]:
        return {tag.casefold() for word in self.words_of(contact) for tag in word.tags}

    def is_out(self, contact: UUID) -> bool:
        group = [self.homes[home] for home in self.group(contact)]
        out = max((at for home in group for at in home.opted_out), default=None)
        back = max((at for home in group for at in home.consented), default=None)
        return out is not None and (back is None or out >= back)

    # Writes ------------------------------------------------------------------------------------------------------

    def write(  # noqa: C901, PLR0912, PLR0915 - the rules, one after another
        self,
        made: UUID,
        values: dict[str, str],
        *,
        kind: str,
        at: Instant | None = None,
        tags: tuple[str, ...] = (),
        external: str = "",
        opts_out: bool = False,
        consents: bool = False,
        contact: UUID | None = None,
    ) -> Answer:
        """Carry out a write; ``made`` is the id to use if it makes a contact."""
        instant = at or self.now()
        values = dict(values)
        email, phone = ("email", values.get("email", "")), ("phone", values.get("phone", ""))
        names_somebody = {key: key[1] not in {"", ROLE} for key in (email, phone)}
        keys = [("id", external), email, phone]

        content = None
        if contact is None and at is not None and not external and not any(names_somebody.values()):
            content = (tuple(sorted(values.items())), kind, at, tuple(tags), opts_out, consents)
            for word in self.words:
                if word.content == content and not self.homes[self.root(word.home)].is_deleted:
                    return Answer("unchanged", self.root(word.home))

        marks = [self.erased[key] for key in keys if key[1] and key in self.erased]
        if any(mark[0] is not None and mark[0] > instant for mark in marks):
            return Answer("dropped", None)

        by_mail = self.named_by(email) if names_somebody[email] else []
        by_phone = self.named_by(phone) if names_somebody[phone] else []
        home: UUID | None = None
        matched_by: tuple[str, str] | None = None
        shares = False
        if contact is not None:
            target: UUID | None = self.root(contact)
            home = contact
        elif external and external in self.elsewhere:
            home = self.elsewhere[external]
            target = self.root(home)
        elif by_mail:
            (target,) = by_mail
            matched_by = email
        else:
            target = self._owner_by_phone(values, by_phone)
            matched_by = phone
            shares = bool(by_phone) and target is None
        if target is not None and matched_by is not None:
            home = min(h for h, how in self.owned[matched_by].items() if how != "weak" and self.root(h) == target)

        merged: list[UUID] = []
        opened = 0
        if target is not None:
            name = (values.get("first_name", ""), values.get("last_name", ""))
            crossings = []
            if by_mail and by_mail[0] != target:
                crossings.append(("email", by_mail[0], True))
            if by_phone and target not in by_phone:
                mine = (self.value(target, "first_name"), self.value(target, "last_name"))
                other = min(by_phone, key=lambda each: (not self._may_be_one(self._name(each), mine), each))
                crossings.append(("phone", other, len(by_phone) == 1))
            for which, other, is_alone in crossings:
                other_root = self.root(other)
                if other_root == target:
                    continue
                if self._are_one(target, other_root, name, is_alone=is_alone):
                    older, younger = sorted((target, other_root))
                    self._join(older, younger, new_merge=UUID(int=(1 << 127) + len(self.merges)))
                    merged.append(younger)
                    target = older
                else:
                    opened += self._ask(target, other_root)
                    values.pop(which, None)

        is_new = target is None
        if target is None:
            target = home = made
            self.homes[made] = Home(made)
        assert home is not None
        out_before = max(
            (
                mark[1]
                for key, mark in ((key, self.erased.get(key)) for key in keys if key[1])
                if mark is not None and mark[1] is not None and target not in self._has(key)
            ),
            default=None,
        )
        for which in ("email", "phone"):
            key = (which, values.get(which, ""))
            if not key[1] or target in self.named_by(key):
                continue
            how = "owner"
            if key[1] == ROLE:
                how = "weak"
            elif which == "phone" and shares:
                how = "shared"
                self.owned[key] = {h: "shared" if w == "owner" else w for h, w in self.owned[key].items()}
            elif len(self.strong(target, which)) >= LIMIT:
                how = "weak"
                values[f"weak {which}"] = "1"
            known = self.owned.setdefault(key, {})
            if known.get(home, "weak") == "weak":
                known[home] = how
        if external:
            self.elsewhere.setdefault(external, home)
        if opts_out or out_before:
            self.homes[home].opted_out.append(max(filter(None, (instant if opts_out else None, out_before))))
        if consents:
            self.homes[home].consented.append(instant)
        self.words.append(Word(len(self.words), home, instant, kind, values, tags, content=content))
        return Answer("created" if is_new else "written", target, tuple(merged), opened)

    def _has(self, key: tuple[str, str]) -> list[UUID]:
        if key[0] == "id":
            return [self.root(self.elsewhere[key[1]])] if key[1] in self.elsewhere else []
        return self.named_by(key)

    def _name(self, contact: UUID) -> tuple[str, str]:
        return self.value(contact, "first_name"), self.value(contact, "last_name")

    @staticmethod
    def _may_be_one(one: tuple[str, str], other: tuple[str, str]) -> bool:
        def fits(a: str, b: str) -> bool:
            a, b = sorted((a.rstrip(".").lower(), b.rstrip(".").lower()), key=len)
            return not a or a == b or (len(a) == 1 and b[0] == a) or {a, b} == NICKNAME

        return fits(one[0], other[0]) and fits(one[1], other[1])

    def _owner_by_phone(self, values: dict[str, str], owners: list[UUID]) -> UUID | None:
        name = (values.get("first_name", ""), values.get("last_name", ""))
        fitting = [owner for owner in owners if self._may_be_one(self._name(owner), name)]
        if len(owners) == 1:
            return fitting[0] if fitting else None
        if name[0] and len(fitting) == 1:
            return fitting[0]
        said = (*name, values.get("email", ""))
        same = [owner for owner in owners if (*self._name(owner), self.value(owner, "email")) == said]
        return same[0] if same else None

    def _are_one(self, one: UUID, other: UUID, name: tuple[str, str], *, is_alone: bool) -> bool:
        ids = [{x for x, home in self.elsewhere.items() if self.root(home) == each} for each in (one, other)]
        return (
            is_alone
            and not self._is_rejected(one, other)
            and all(self._may_be_one(a, b) for a, b in combinations((name, self._name(one), self._name(other)), 2))
            and not (ids[0] and ids[1])
            and all(len(self.strong(one, k) | self.strong(other, k)) <= LIMIT for k in ("email", "phone"))
        )

    # People's answers --------------------------------------------------------------------------------------------

    def _is_rejected(self, one: UUID, other: UUID) -> bool:
        ones, others = self.group(one), self.group(other)
        return any(
            state == "rejected" and ((a in ones and b in others) or (a in others and b in ones))
            for (a, b), state in self.pairs.items()
        )

    def _ask(self, one: UUID, other: UUID) -> int:
        pair = (min(one, other), max(one, other))
        if one == other or self._is_rejected(one, other) or self.pairs.get(pair) == "open":
            return 0
        self.pairs[pair] = "open"
        return 1

    def _join(self, survivor: UUID, merged: UUID, *, new_merge: UUID) -> None:
        self.merges[new_merge] = Merge(survivor, merged)
        self.homes[merged].into = survivor
        pair = (min(survivor, merged), max(survivor, merged))
        if self.pairs.get(pair) == "open":
            self.pairs[pair] = "accepted"
        for (a, b), state in list(self.pairs.items()):
            if state == "open" and merged in {a, b}:
                self.pairs[a, b] = "stale"
                self._ask(survivor, b if a == merged else a)

    def merge(self, one: UUID, other: UUID, merge_id: UUID, *, keep: UUID | None) -> UUID:
        one, other = self.root(one), self.root(other)
        survivor, merged = sorted((one, other))
        kept = self.best(self.root(keep)) if keep is not None else {}
        self._join(survivor, merged, new_merge=merge_id)
        both = self.best(survivor)
        instant = self.now()
        again: dict[tuple[UUID, str], dict[str, str]] = {}
        for name, (text, word) in kept.items():
            if text and both.get(name, ("", word))[0] != text:
                kind = "manual" if name in both and both[name][1].kind == "manual" else "merge"
                again.setdefault((word.home, kind), {})[name] = text
        for (home, kind), values in again.items():
            self.words.append(Word(len(self.words), home, instant, kind, values, by_merge=merge_id))
        return survivor

    def unmerge(self, merge_id: UUID) -> None:
        merge = self.merges[merge_id]
        merge.is_undone = True
        self.homes[merge.merged].into = None
        pair = (min(merge.survivor, merge.merged), max(merge.survivor, merge.merged))
        self.pairs[pair] = "rejected"

    def reject(self, pair: tuple[UUID, UUID]) -> None:
        self.pairs[pair] = "rejected"

    def delete(self, contact: UUID) -> None:
        contact = self.root(contact)
        instant = self.now()
        is_out = self.is_out(contact)
        group = self.group(contact)
        keys: dict[tuple[str, str], bool] = {}
        for key, homes in self.owned.items():
            for home in group & set(homes):
                keys[key] = keys.get(key, False) or homes[home] == "owner"
        keys |= {("id", x): True for x, home in self.elsewhere.items() if home in group}
        for key, is_own in keys.items():
            at, _ = self.erased.get(key, (None, None))
            if is_own:
                self.erased[key] = (instant, instant if is_out else None)
            elif is_out:
                self.erased[key] = (at, instant)
        for homes in self.owned.values():
            for home in group & set(homes):
                del homes[home]
        self.elsewhere = {x: home for x, home in self.elsewhere.items() if home not in group}
        self.words = [word for word in self.words if word.home not in group]
        self.pairs = {pair: state for pair, state in self.pairs.items() if not group & set(pair)}
        for home in group:
            self.homes[home].is_deleted = True
