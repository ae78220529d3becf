"""Made contact books with ground truth: people as service businesses have them, and what happens to their records.

    python bench/people.py --size 1000000 --seed 7 --out book.parquet

Needs the packages ``faker`` and ``names`` (MIT; the latter holds the name frequencies of the 1990 US census, public
domain). Each seed draws a style of its own (how often fields are empty, how much damage there is, whether postcodes
belong to cities), so that what is learned on some seeds is judged on books that differ, not on more of the same.

The labels: ``person`` says who a row is, ``kind`` how it came about. Rows that are no duplicates and yet look so are
made on purpose: families at one address and phone, fathers and sons, namesakes, colleagues on one line, role mailboxes.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from damage import ROAD_TYPES, Damage, Record, plain, respell
from name_pools import Names

FIELDS = ("first_name", "last_name", "email", "phone", "company", "street", "city", "postcode", "country")
EXTRA = ("birth_date", "number")

_COUNTRIES = ("US", "GB", "AU", "DE", "IN", "MX", "BR", "PK", "AE")
_WEIGHTS = (45, 15, 8, 8, 8, 6, 5, 3, 2)
_CITIES = {
    "US": "Tampa Portland Seattle Dallas Chicago Phoenix Charlotte Columbus Austin Miami Boston Denver",
    "GB": "London Manchester Bristol Leeds Glasgow",
    "AU": "Sydney Melbourne Perth",
    "DE": "München Berlin Hamburg Köln",
    "IN": "Pune Bengaluru Delhi Mumbai",
    "MX": "CDMX Monterrey Guadalajara",
    "BR": "Curitiba Recife Salvador",
    "PK": "Lahore Karachi",
    "AE": "Dubai Sharjah",
}
_PHONES = {
    "US": ("1", ("2##", "3##", "4##", "5##", "6##", "7##", "8##", "9##"), "%2##%4"),
    "GB": ("44", ("7400", "7700", "7800", "7850", "7911", "7512"), "%6"),
    "AU": ("61", ("412", "423", "445", "456", "478", "498"), "%6"),
    "DE": ("49", ("151", "157", "160", "170", "171", "175"), "%7"),
    "IN": ("91", ("70", "81", "90", "98", "99"), "%8"),
    "MX": ("52", ("55", "33", "81"), "%8"),
    "BR": ("55", ("119", "219", "419", "519", "819"), "%8"),
    "PK": ("92", ("300", "321", "333", "345"), "%7"),
    "AE": ("971", ("50", "52", "54", "56"), "%7"),
}
_MAIL = ("gmail.com",) * 56 + ("yahoo.com",) * 14 + ("hotmail.com",) * 11 + ("outlook.com",) * 10 + ("icloud.com",) * 9
_MAIL_TYPOS = ("gmial.com", "gmal.com", "gmail.co", "gmail.con", "gamil.com", "yaho.com", "hotmial.com", "outlok.com")
_TRADES = (
    "Plumbing", "Electric", "HVAC", "Roofing", "Landscaping", "Cleaning", "Dental", "Law", "Realty", "Auto",
    "Salon", "Spa", "Fitness", "Media", "Design", "Consulting", "Logistics", "Bakery", "Painting", "Flooring",
    "Security", "Solar", "Moving", "Pools", "Windows", "Insurance",
)  # fmt: skip
_ROADS = (
    "Main", "Oak", "Elm", "Maple", "Cedar", "Pine", "Walnut", "Park", "Lake", "Hill", "River", "Church", "Station",
    "High", "Mill", "King", "Queen", "Victoria",
)  # fmt: skip
_ROLES = ("info", "admin", "office", "sales", "contact", "bookings", "hello")
_SUFFIXES = ("Jr", "Jr.", "Sr", "II", "III")
_NOWHERE = {"street": "", "city": "", "postcode": ""}


@dataclass(frozen=True)
class Style:
    """What a book is like; all are shares between 0 and 1."""

    duplicates: float = 0.20
    email: float = 0.88
    phone: float = 0.84
    company: float = 0.40
    address: float = 0.55
    number: float = 0.5
    birth_date: float = 0.7
    family: float = 0.019
    suffix: float = 0.004
    office: float = 0.012
    role: float = 0.016
    namesakes: float = 0.01
    damage: float = 0.5
    moves: float = 0.0
    marries: float = 0.0
    real_postcodes: bool = False
    road_names: int = len(_ROADS)
    weights: tuple[int, ...] = field(default=_WEIGHTS)


def style_of(seed: int) -> Style:
    """Draw the style of a seed. Seeds below 10 have the plain one."""
    if seed < 10:
        return Style()
    draw = random.Random(f"style {seed}")
    return Style(
        duplicates=draw.uniform(0.08, 0.3),
        email=draw.uniform(0.5, 0.98),
        phone=draw.uniform(0.4, 0.95),
        company=draw.uniform(0.1, 0.6),
        address=draw.uniform(0.3, 0.9),
        family=draw.uniform(0.01, 0.06),
        suffix=draw.uniform(0.002, 0.01),
        office=draw.uniform(0.005, 0.03),
        role=draw.uniform(0.005, 0.03),
        namesakes=draw.uniform(0.0, 0.02),
        damage=draw.uniform(0.3, 0.7),
        moves=draw.choice((0.0, draw.uniform(0.02, 0.2))),
        marries=draw.choice((0.0, 0.03)),
        real_postcodes=draw.random() < 0.5,
        road_names=draw.choice((len(_ROADS), 200, 2000)),
        weights=draw.choice((_WEIGHTS, (1, 0, 0, 0, 0, 0, 0, 0, 0), (2, 70, 8, 5, 6, 1, 1, 6, 1))),
    )


class Book:
    """A book in the making."""

    def __init__(self, size: int, seed: int, style: Style | None = None) -> None:
        self.draw = random.Random(seed)
        self.style = style or style_of(seed)
        self.names = Names(self.draw)
        self.damage = Damage(self.draw)
        self.roads = [*_ROADS, *(self.names.last("") for _ in range(self.style.road_names - len(_ROADS)))]
        self.rows: list[tuple[int, str, Record]] = []
        self._truths: list[Record] = []
        self._emails: set[str] = set()
        self._size = size

    def make(self) -> list[tuple[int, str, Record]]:
        """Return rows as (person, kind, record), shuffled."""
        style, draw = self.style, self.draw
        bases = int(self._size * (1 - style.duplicates))
        special: tuple[tuple[float, Callable[[Record], Record], str], ...] = (
            (style.family, self.relative, "household"),
            (style.suffix, self.generation, "senior_junior"),
            (style.office, self.colleague, "office_line"),
            (style.namesakes, self.namesake, "namesake"),
        )
        while len(self.rows) < bases:
            base = self.person()
            self._add("base", base)
            for share, change, kind in special:
                if draw.random() < share:
                    self._add(kind, change(base))
            if draw.random() < style.role / 3:
                company, mail = self.company(base), self.role_mailbox()
                for _ in range(draw.randint(2, 5)):
                    self._add("role_mail", {**self.person(base["country"]), "company": company, "email": mail})
        while len(self.rows) < self._size:
            person, kind, record = self.rows[draw.randrange(len(self.rows))]
            kind, changed = self.again(self._truths[person], record)
            self.rows.append((person, kind, changed))
        draw.shuffle(self.rows)
        return self.rows

    def _add(self, kind: str, truth: Record) -> None:
        """Add a person, of whom the book shows only a part."""
        shown, draw, style = dict(truth), self.draw, self.style
        if kind == "base":
            shown["email"] = truth["email"] if draw.random() < style.email else ""
            shown["phone"] = truth["phone"] if draw.random() < style.phone else ""
        if draw.random() >= style.address:
            shown |= _NOWHERE
        self.rows.append((len(self._truths), kind, shown))
        self._truths.append(truth)

    # --- People ---------------------------------------------------------------------------------------------------

    def person(self, country: str = "") -> Record:
        draw, style = self.draw, self.style
        country = country or draw.choices(_COUNTRIES, style.weights)[0]
        # A fifth of the people abroad have names of elsewhere.
        origin = country if draw.random() < 0.8 else draw.choice(_COUNTRIES)
        record = dict.fromkeys((*FIELDS, *EXTRA), "")
        record |= {"first_name": self.names.first(origin), "last_name": self.names.last(origin), "country": country}
        if draw.random() < style.company:
            record["company"] = self.company(record)
        record |= {"email": self.email(record), "phone": self.phone(country)}
        self.move(record)
        if draw.random() < style.birth_date:
            record["birth_date"] = f"{draw.randint(1935, 2006)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        if draw.random() < style.number:
            record["number"] = str(draw.randint(1_000_000, 9_999_999))
        return record

    def company(self, record: Record) -> str:
        owner = record["last_name"] if self.draw.random() < 0.6 else self.names.last("")
        return f"{owner} {self.draw.choice(_TRADES)}"

    def email(self, record: Record) -> str:
        draw = self.draw
        first, last = (plain(record[name]) or "x" for name in ("first_name", "last_name"))
        domain = draw.choice(_MAIL)
        if draw.random() < 0.25:
            domain = f"{last}{draw.choice(_TRADES).lower()}{draw.randint(1, 99):02}.com"
        digits = draw.choice(("", "", "", str(draw.randint(1, 99)).zfill(2)))
        local = draw.choice(
            (
                f"{first}.{last}{digits}",
                f"{first}{last}{digits}",
                f"{last}.{first}",
                f"{first}_{last}",
                f"{first[0]}{last}",
                f"{first[0]}.{last}{draw.randint(1, 999)}",
                f"{first}{draw.randint(1, 9999):04}",
            )
        )
        found = f"{local}@{domain}"
        while found in self._emails:
            # A provider gives an address out once.
            found = f"{local}{draw.randint(1, 99999)}@{domain}"
        self._emails.add(found)
        return found

    def role_mailbox(self) -> str:
        draw = self.draw
        return f"{draw.choice(_ROLES)}@{draw.choice(_TRADES).lower()}{draw.randint(1, 9999)}.com"

    def phone(self, country: str) -> str:
        draw = self.draw
        code, areas, shape = _PHONES[country]
        local = draw.choice(areas) + shape.replace("%2", str(draw.randint(2, 9)))
        for length in "45678":
            local = local.replace(f"%{length}", "#" * int(length))
        return f"+{code}" + "".join(str(draw.randint(0, 9)) if sign == "#" else sign for sign in local)

    def move(self, record: Record) -> None:
        draw = self.draw
        city = draw.choice(_CITIES[record["country"]].split())
        number = draw.randint(1, 9999) if draw.random() < 0.7 else draw.randint(1, 200)
        record["street"] = f"{number} {draw.choice(self.roads)} {draw.choice(ROAD_TYPES)[draw.randint(0, 1)]}"
        record["city"] = city
        if self.style.real_postcodes:
            area = sum(map(ord, city)) % 90 + 10
            record["postcode"] = f"{area}{draw.randint(0, 120):03}"
        else:
            record["postcode"] = f"{draw.randint(0, 99999):05}"

    # --- Others who look alike ------------------------------------------------------------------------------------

    def other(self, record: Record, *kept: str) -> Record:
        """Return another person of the same country who shares only ``kept`` with this one."""
        return self.person(record["country"]) | {name: record[name] for name in kept}

    def relative(self, base: Record) -> Record:
        kept = ["last_name", "street", "city", "postcode"]
        kept += [
            name for name, share in (("phone", 0.8), ("company", 0.5), ("email", 0.02)) if self.draw.random() < share
        ]
        found = self.other(base, *kept)
        return found if "email" in kept else found | {"email": self.email(found)}

    def generation(self, base: Record) -> Record:
        found = self.other(base, "first_name", "last_name", "street", "city", "postcode", "company")
        found["email"] = self.email(found)
        return found | {"last_name": f"{found['last_name']} {self.draw.choice(_SUFFIXES)}"}

    def colleague(self, base: Record) -> Record:
        kept = ["company", "phone"]
        if self.draw.random() < 0.3:
            kept += ["street", "city", "postcode"]
        return self.other(base, *kept)

    def namesake(self, base: Record) -> Record:
        found = self.other(base, "first_name", "last_name", *(("city",) if base["city"] else ()))
        return found | {"email": self.email(found)}

    # --- The same person again ------------------------------------------------------------------------------------

    def again(self, truth: Record, record: Record) -> tuple[str, Record]:
        """Return how the person comes again, and the record; kinds as in the labels."""
        draw, style = self.draw, self.style
        kinds = ("same_email", "same_phone", "typo_id", "new_ids", "alias_email")
        kind = draw.choices(kinds, (29, 20, 21, 17, 13))[0]
        found = {name: record[name] or truth[name] for name in record}
        self._identifiers(kind, dict(found), found)
        if draw.random() < style.moves:
            self.move(found)
        elif kind != "new_ids" and draw.random() > style.address:
            found |= _NOWHERE
        if draw.random() < style.marries:
            found["last_name"] = self.names.last(found["country"])
        for name in EXTRA:
            if draw.random() < 0.3:
                found[name] = ""
        if draw.random() < style.damage:
            self.damage.name(found)
        if found["street"] and draw.random() < 0.5:
            found["street"] = respell(found["street"])
        for name, share in (
            ("street", 0.04),
            ("city", 0.03),
            ("postcode", 0.03),
            ("company", 0.05),
            ("birth_date", 0.08),
        ):
            if found[name] and draw.random() < share * style.damage * 2:
                found[name] = self.damage.typo(found[name])
        return kind, found

    def _identifiers(self, kind: str, record: Record, found: Record) -> None:
        draw = self.draw
        if kind == "same_email":
            found["phone"] = record["phone"] if draw.random() < 0.35 else ""
        elif kind == "alias_email":
            local, _, domain = record["email"].partition("@")
            if domain == "gmail.com" and draw.random() < 0.4 and len(local) > 2:
                place = draw.randrange(1, len(local))
                local = f"{local[:place]}.{local[place:]}".replace("..", ".")
            else:
                local = f"{local.partition('+')[0]}+{draw.choice(('promo', 'news', 'crm', '2024'))}"
            found["email"] = f"{local}@{domain}"
            found["phone"] = record["phone"] if draw.random() < 0.45 else ""
        elif kind == "same_phone":
            found["email"] = self.email(record) if draw.random() < 0.5 else ""
        elif kind == "typo_id":
            self._mistype_identifiers(found)
        else:
            found["email"] = self.email(record) if draw.random() < 0.8 else ""
            found["phone"] = self.phone(record["country"]) if draw.random() < 0.6 else ""

    def _mistype_identifiers(self, found: Record) -> None:
        draw = self.draw
        if found["email"]:
            local, _, domain = found["email"].partition("@")
            if draw.random() < 0.4 and domain in _MAIL:
                near = [each for each in _MAIL_TYPOS if each[0] == domain[0]]
                domain = draw.choice(near or [self.damage.typo(domain)])
            elif draw.random() < 0.7:
                local = self.damage.typo(local)
            else:
                domain = self.damage.typo(domain)
            found["email"] = f"{local}@{domain}"
            if found["phone"] and draw.random() < 0.2:
                found["email"] = ""
        if found["phone"]:
            if draw.random() < 0.6 and found["email"]:
                found["phone"] = ""
            elif draw.random() < 0.9:
                place = draw.randrange(len(found["phone"]) - 7, len(found["phone"]))
                found["phone"] = f"{found['phone'][:place]}{draw.randint(0, 9)}{found['phone'][place + 1 :]}"


def write(rows: Sequence[tuple[int, str, Record]], path: Path, fields: Sequence[str] = FIELDS) -> None:
    """Write a book as Parquet: id, person, kind and the fields."""
    columns = {
        "id": list(range(len(rows))),
        "person": [person for person, _, _ in rows],
        "kind": [kind for _, kind, _ in rows],
        **{name: [record[name] for _, _, record in rows] for name in fields},
    }
    pq.write_table(pa.table(columns), path)


def main() -> None:
    """Make one book."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--extra", action="store_true", help="with birth dates and numbers")
    given = parser.parse_args()
    write(Book(given.size, given.seed).make(), given.out, (*FIELDS, *(EXTRA if given.extra else ())))


if __name__ == "__main__":
    main()
