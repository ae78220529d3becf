"""What happens to a record on its way into a book: slips of the fingers, nicknames, initials, other spellings."""

from __future__ import annotations

import random
import string
import unicodedata

from mainstay.identity.normalisation.nicknames import nicknames

Record = dict[str, str]

ROAD_TYPES = (("Street", "St"), ("Road", "Rd"), ("Avenue", "Ave"), ("Lane", "Ln"), ("Drive", "Dr"), ("Close", "Cl"))
_KEYBOARD = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))


class Damage:
    """Damages records, by chance."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def name(self, found: Record) -> None:
        draw = self.draw
        first, last = found["first_name"], found["last_name"]
        match draw.choices(range(8), (18, 9, 9, 14, 9, 22, 11, 5))[0]:
            case 0:
                known = sorted(nicknames(plain(first)))
                found["first_name"] = draw.choice(known).capitalize() if known else self.typo(first)
            case 1:
                found["first_name"] = first[:1] + draw.choice(("", "."))
            case 2:
                found["last_name"] = last[:1] + draw.choice(("", "."))
            case 3:
                found["first_name"], found["last_name"] = last, first
            case 4:
                found["first_name"] = f"{first} {draw.choice(string.ascii_uppercase)}{draw.choice(('', '.'))}"
            case 5:
                name = draw.choice(("first_name", "last_name"))
                found[name] = self.typo(found[name])
            case 6:
                found["first_name"], found["last_name"] = first.upper(), last.upper()
            case _:
                found["first_name"] = ""

    def typo(self, text: str) -> str:
        """Return the text with one slip of the fingers."""
        draw = self.draw
        if not text:
            return text
        place = draw.randrange(len(text))
        before, sign, after = text[:place], text[place], text[place + 1 :]
        if sign.isdigit():
            return before + str((int(sign) + draw.randint(1, 9)) % 10) + after
        wrong = _KEYBOARD.get(sign.lower(), "e") if draw.random() < 0.5 else draw.choice(string.ascii_lowercase)
        choices = (
            before + wrong + after,
            before + sign * 2 + after,
            before + after,
            before + after[:1] + sign + after[1:],
        )
        return draw.choice(choices) or text


def plain(text: str) -> str:
    """Return a name's letters without accents, in lower case."""
    folded = unicodedata.normalize("NFKD", text.lower())
    return "".join(sign for sign in folded if sign.isascii() and sign.isalpha())


def respell(street: str) -> str:
    """Return a street with its last word long where it was short, and the other way round."""
    begin, _, last = street.rpartition(" ")
    other = {**dict(ROAD_TYPES), **{short: long for long, short in ROAD_TYPES}}
    return f"{begin} {other.get(last, last)}"
