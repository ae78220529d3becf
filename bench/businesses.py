"""Made lists of businesses with ground truth: listings of one place by several directories, each in its own words."""

from __future__ import annotations

import people
from damage import Record

FIELDS = ("full_name", "phone", "street", "city")

_KINDS = (
    "Day Care Center", "Learning Center", "Family Services", "Plumbing", "Dental Group", "Community Church", "Academy",
    "Elementary School", "Head Start", "Animal Clinic", "Auto Repair", "Health Center", "Nursery School", "Law Office",
    "Youth Club", "Medical Center", "Cleaning Services", "Heating and Cooling", "Bakery", "Senior Home",
)  # fmt: skip
_GROUPS = (
    "Public Schools",
    "Catholic Charities",
    "Community Services",
    "Park District",
    "City Colleges",
    "Care Partners",
)
_SHORT = {
    "Center": "Ctr", "Services": "Svcs", "School": "Sch", "Community": "Comm", "Elementary": "Elem", "and": "&",
    "Development": "Dev", "Saint": "St.", "Church": "Ch.",
}  # fmt: skip
_SIDES = (("N", "North"), ("S", "South"), ("E", "East"), ("W", "West"), ("", ""))
_ENDS = ("", "", "", ", Inc.", " Inc", " LLC", " - Main Office", " #2", " I/T", " (Blended)")


class Book(people.Book):
    """A list in the making: every place is listed once to eight times."""

    def make(self) -> list[tuple[int, str, Record]]:
        """Return rows as (place, kind, record), shuffled."""
        draw = self.draw
        groups = [f"{self.names.last('')} {draw.choice(_GROUPS)}" for _ in range(max(self._size // 60, 3))]
        place = 0
        while len(self.rows) < self._size:
            place += 1
            truth = self.place(draw.choice(groups) if draw.random() < 0.3 else "")
            for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4, 6, 8))):
                self.rows.append((place, "listing", self.listing(truth)))
            if draw.random() < 0.1:
                # Another tenant of the house, or another house of the firm.
                place += 1
                kept = (
                    ("street", "side", "road", "city")
                    if draw.random() < 0.3
                    else ("group", *draw.choice((("phone",), ("name",), ())))
                )
                near = self.place("") | {name: truth[name] for name in kept}
                for _ in range(draw.choice((1, 2, 3))):
                    self.rows.append((place, "neighbour", self.listing(near)))
        del self.rows[self._size :]
        draw.shuffle(self.rows)
        return self.rows

    def place(self, group: str) -> Record:
        """Return what is true of a place."""
        draw = self.draw
        words = [self.names.last("") for _ in range(draw.choice((1, 1, 2)))]
        return {
            "name": f"{' '.join(words)} {draw.choice(_KINDS)}",
            "short": words[0],
            "group": group,
            "phone": f"{draw.randint(2_200_000, 9_999_999)}",
            "street": str(draw.randint(1, 9999)),
            "side": str(draw.randrange(len(_SIDES))),
            "road": draw.choice(self.roads) if draw.random() < 0.7 else f"{draw.randint(2, 130)}th",
            "city": draw.choice(("Chicago", "Austin", "Boston")) if draw.random() < 0.5 else "",
        }

    def listing(self, truth: Record) -> Record:
        """Return how one directory lists it."""
        draw = self.draw
        name = truth["name"] if draw.random() < 0.7 else truth["short"]
        words = [_SHORT.get(word, word) if draw.random() < 0.25 else word for word in name.split()]
        if len(words) > 2 and draw.random() < 0.15:
            words.pop(draw.randrange(1, len(words)))
        name = " ".join(words)
        if truth["group"] and draw.random() < 0.6:
            name = draw.choice((f"{truth['group']} - {name}", f"{truth['group']} {name}", f"{name} {truth['group']}"))
            if draw.random() < 0.12:
                name = truth["group"]
        if draw.random() < 0.12:
            name = self.damage.typo(name)
        name += draw.choice(_ENDS)
        if draw.random() < 0.25:
            name = name.upper()
        phone = truth["phone"]
        if draw.random() < 0.12:
            phone = (
                phone[:-1] + str(draw.randint(0, 9)) if draw.random() < 0.5 else f"{draw.randint(2_200_000, 9_999_999)}"
            )
        side = draw.choice(_SIDES[int(truth["side"])])
        kind = draw.choice(("", "St", "St.", "Street", "Ave", "Avenue"))
        street = " ".join(part for part in (truth["street"], side, truth["road"], kind) if part)
        if draw.random() < 0.04:
            street = self.damage.typo(street)
        return {
            "full_name": name,
            "phone": phone if draw.random() < 0.95 else "",
            "street": street.upper() if draw.random() < 0.2 else street,
            "city": truth["city"],
        }
