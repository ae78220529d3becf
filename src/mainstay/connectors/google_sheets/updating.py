"""Changed cells of rows that are there, while people may sort the sheet, or insert and delete rows.

Google writes by place and cannot be told "only if this is still the row of that key". So the rows are read right before
they are written, and their keys once more right after. Where another key stands there by then, the row may have been
moved between the two: its cells get back what they held, and the write is done anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import orjson

from mainstay.connectors.google_sheets.spreadsheet import (
    MOST_BYTES,
    MOST_RANGES,
    Block,
    Layout,
    Moved,
    Spreadsheet,
    a1,
    runs,
    same,
    sendable,
)
from mainstay.kit.roles import Value

ROWS_AT_ONCE = 5_000
# Rows between two that are wanted are read along: a range costs more than some rows.
GAP = 20

Cells = list[Value]


class Update:
    """The changes of one call.

    Attributes:
        harmed: keys of rows that were moved under a write, and whose cells could not be put back.
    """

    def __init__(self, sheet: Spreadsheet, layout: Layout, key: str, wanted: Mapping[str, Mapping[str, Value]]) -> None:
        self._sheet = sheet
        self._layout = layout
        self._key = layout.columns[key]
        self._wanted = wanted
        self._columns = {column for row in wanted.values() for column in row}
        named = [layout.columns[column] for column in self._columns]
        self._last = max(named)
        self._first = min((place for place in named if place != self._key), default=self._key)
        self.harmed: list[str] = []

    async def carry_out(self, rows: Mapping[int, str], changed: set[str]) -> None:
        """Write the rows, given by their places; the keys of those that were changed are added to ``changed``.

        Raises:
            Moved: some are not there any more.
        """
        for blocks in self._portions(sorted(rows)):
            before = await self._sheet.blocks(self._layout.title, blocks, (0, self._last))
            here = [row for first, last in blocks for row in range(first, last + 1) if row in rows]
            if any(self._name(before, row) != rows[row] for row in here):
                raise Moved
            changes = {row: cells for row in here if (cells := self._change(before.get(row, []), rows[row]))}
            await self._write(changes, rows, before, changed)

    def _portions(self, rows: Sequence[int]) -> Iterator[list[Block]]:
        blocks: list[Block] = []
        count = 0
        for block in runs(rows, GAP, ROWS_AT_ONCE):
            size = block[1] - block[0] + 1
            if blocks and (len(blocks) == MOST_RANGES or count + size > ROWS_AT_ONCE):
                yield blocks
                blocks, count = [], 0
            blocks.append(block)
            count += size
        if blocks:
            yield blocks

    def _name(self, rows: Mapping[int, Sequence[str]], row: int) -> str:
        cells = rows.get(row, ())
        return cells[self._key] if self._key < len(cells) else ""

    def _change(self, shown: Sequence[str], name: str) -> Cells:
        """Return a row's cells from the first to the last that is written, None for what stays; empty for no change."""
        cells: Cells = [None] * (self._last - self._first + 1)
        is_changed = False
        for column, value in self._wanted[name].items():
            place = self._layout.columns[column]
            now = shown[place] if place < len(shown) else ""
            if place != self._key and not same(value, now):
                cells[place - self._first] = sendable(value, column)
                is_changed = True
        return cells if is_changed else []

    async def _write(
        self,
        changes: Mapping[int, Cells],
        rows: Mapping[int, str],
        before: Mapping[int, Sequence[str]],
        changed: set[str],
    ) -> None:
        for some in _by_size(changes):
            await self._send(some)
            blocks = list(runs(sorted(some), GAP))
            after = await self._sheet.blocks(self._layout.title, blocks, (self._key, self._key))
            moved = {row for row in some if (after.get(row) or [""])[0] != rows[row]}
            changed |= {rows[row] for row in some if row not in moved}
            if moved:
                await self._put_back({row: some[row] for row in moved}, before)
                raise Moved

    async def _send(self, changes: Mapping[int, Cells]) -> None:
        data = [
            (
                a1(self._layout.title, self._first, self._last, block),
                [changes[row] for row in range(block[0], block[1] + 1)],
            )
            for block in runs(sorted(changes))
        ]
        await self._sheet.write(data)

    async def _put_back(self, written: Mapping[int, Cells], before: Mapping[int, Sequence[str]]) -> None:
        """Give rows that came under a write their cells back."""
        now = await self._sheet.blocks(self._layout.title, list(runs(sorted(written), GAP)), (0, self._last))
        # Of two rows without a key nobody can tell which is which.
        held = {self._name(before, row): cells for row, cells in before.items() if self._name(before, row)}
        restored: dict[int, Cells] = {}
        for row, cells in written.items():
            shown, name = now.get(row, []), self._name(now, row)
            places = [place for place, cell in enumerate(cells, self._first) if cell is not None]
            if not all(same(cells[place - self._first], _at(shown, place)) for place in places):
                continue
            if name and name not in held:
                self._harm(name)
                continue
            old = held.get(name, [])
            # A row without a key is one that was inserted: it was empty.
            restored[row] = [
                _at(old, place) if place in places else None for place in range(self._first, self._last + 1)
            ]
        if not restored:
            return
        await self._send(restored)
        after = await self._sheet.blocks(self._layout.title, list(runs(sorted(restored), GAP)), (self._key, self._key))
        for row in restored:
            meant, found = self._name(now, row), (after.get(row) or [""])[0]
            if meant != found:
                self._harm(meant)
                self._harm(found)

    def _harm(self, name: str) -> None:
        """Note a row whose cells may be wrong, unless the next round of this very call compares all of them."""
        if name and not self._columns.issubset(self._wanted.get(name, ())):
            self.harmed.append(name)


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _by_size(changes: Mapping[int, Cells]) -> Iterator[dict[int, Cells]]:
    some: dict[int, Cells] = {}
    size = 0
    for row, cells in changes.items():
        # A range of its own costs a hundred bytes at most, beside the title.
        length = len(orjson.dumps(cells)) + 250
        if some and size + length > MOST_BYTES:
            yield some
            some, size = {}, 0
        some[row] = cells
        size += length
    if some:
        yield some
