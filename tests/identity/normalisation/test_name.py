"""Names: what is taken off, what stays because it is somebody's name, and how given and family name are told apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity.normalisation import Reason, clean, display_name, is_nobody, normalise_name, split_name
from mainstay.identity.normalisation.name import read_any, read_plain

words = st.sampled_from(
    ["Sarah", "Johnson", "Dr.", "Jr.", "MD", "MD,", "D.O.", "Do", "van", "de", ",", "II", "Sr.", "Mrs", "&", "and",
     "née",
     "O'Brien", "(Bob)", '"Bob"', "Jean-Luc", "J.", "Ma", "PhD", "the", "Lord", "senior", "Å", "ß", "İ", "test", "n/a",
     "习",
     "Ёлкин", "sir", "\u0301", "K.C.", "😀", "she/her"]
)  # fmt: skip
nasty = st.text(st.characters() | st.sampled_from(",.-'’\"()&İßøΣς\u0301\u0308\u200b"), max_size=40)
names = nasty | st.lists(words, max_size=7).map(" ".join)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        # case, white space, invisible characters
        ("Sarah Johnson", "sarah johnson"), ("  SARAH \t johnson ", "sarah johnson"), ("ＳＡＲＡＨ　Johnson",
        "sarah johnson"),
        ("Sa\u00adrah\u200b Johnson", "sarah johnson"), ("Sarah\u00a0Johnson", "sarah johnson"),
        # accents and letters of their own
        ("Zoë Müller", "zoe muller"), ("Zoe\u0308 Mu\u0308ller", "zoe muller"), ("Søren Kierkegård",
        "soren kierkegard"),
        ("Łukasz Żółć", "lukasz zolc"), ("Đặng Thị Ngọc", "dang thi ngoc"), ("Straße Groß", "strasse gross"),
        ("Æthelred Þór", "aethelred thor"), ("İpek Yılmaz", "ipek yilmaz"), ("Œdipe Ðorđe", "oedipe dorde"),
        ("José Núñez", "jose nunez"), ("Ħamrun Ŋgũgĩ", "hamrun ngugi"), ("Nguyễn Văn Ánh", "nguyen van anh"),
        # titles
        ("Mr. John Smith", "john smith"), ("Mrs Jane Smith", "jane smith"), ("Ms. Jane Smith", "jane smith"),
        ("Miss Jane Smith", "jane smith"), ("Dr. Sarah Johnson", "sarah johnson"), ("DR SARAH JOHNSON",
        "sarah johnson"),
        ("Prof. Dr. Hans Müller", "hans muller"), ("Herr Hans Müller", "hans muller"), ("Frau Anna Groß", "anna gross"),
        ("Sir Elton John", "elton john"), ("Rev. Martin King", "martin king"), ("Hon. John Smith", "john smith"),
        ("Lt. Col. John Smith", "john smith"), ("Mme Marie Curie", "marie curie"), ("Sra. Ana García", "ana garcia"),
        ("Señor Juan García", "juan garcia"), ("The Rev. John Smith", "john smith"), ("Captain John Smith",
        "john smith"),
        ("Mr & Mrs John Smith", "john smith"), ("Mrs. Johnson", "johnson"), ("Sr. García", "garcia"),
        # degrees
        ("Sarah Johnson, MD", "sarah johnson"), ("Sarah Johnson MD", "sarah johnson"), ("Sarah Johnson, M.D.",
        "sarah johnson"),
        ("Sarah Johnson Ph.D.", "sarah johnson"), ("Sarah Johnson, PhD, MBA", "sarah johnson"),
        ("Sarah Johnson RN, BSN", "sarah johnson"), ("John Smith, Esq.", "john smith"), ("John Smith Esq",
        "john smith"),
        ("Sarah Johnson D.O.", "sarah johnson"), ("Sarah Johnson, DO", "sarah johnson"), ("Sarah Johnson, CPA",
        "sarah johnson"),
        ("Sarah Johnson, MD/PhD", "sarah johnson"), ("Johnson, MD", "johnson"), ("Dr. Sarah Johnson, M.D., Ph.D.",
        "sarah johnson"), ("Sarah Johnson Ph. D.", "sarah johnson"), ("Sarah Johnson, M. D.", "sarah johnson"),
        ("Sarah Johnson, NP-C", "sarah johnson"), ("Sarah Johnson, LMT", "sarah johnson"),
        ("Jan Novák, CSc.", "jan novak"),
        ("Sarah Johnson, M.Ed.", "sarah johnson"), ("Ali Med", "ali med"), ("Smith, M. D.", "m d smith"),
        ("Dr. med. dent. Anna Groß", "anna gross"), ("Prof. Dr. h.c. Hans Müller", "hans muller"),
        ("Dr. H. Smith", "h smith"), ("Dr. Phil. Smith", "phil smith"), ("Dr. Smith", "smith"),
        # nicknames, brackets, pronouns, birth names
        ('Robert "Bob" Smith', "robert smith"), ("Robert “Bob” Smith", "robert smith"), ("Robert 'Bob' Smith",
        "robert smith"),
        ("Robert ‘Bob’ Smith", "robert smith"), ("Robert (Bob) Smith", "robert smith"), ("Robert «Bob» Smith",
        "robert smith"), ("Robert 「Bob」 Smith", "robert smith"),
        ("Robert [Bob] Smith", "robert smith"), ('Smith, Robert "Bob"', "robert smith"), ('"Sarah Johnson"',
        "sarah johnson"),
        ("'Sarah Johnson'", "sarah johnson"), ('"Bob" Smith', "bob smith"), ("(Sarah)", "sarah"),
        ("Sarah Johnson (she/her)", "sarah johnson"), ("Sarah Johnson she/her", "sarah johnson"),
        ("Mary Smith née Jones", "mary smith"), ("Anna Groß geb. Klein", "anna gross"), ("John Smith aka Johnny",
        "john smith"),
        # emoji and symbols
        ("😀 Sarah 🎉 Johnson", "sarah johnson"), ("Sarah❤️Johnson", "sarah johnson"), ("👩🏽‍🔧 Sarah Johnson",
        "sarah johnson"),
        ("Sarah 🇺🇸 Johnson", "sarah johnson"), ("★ Sarah Johnson ★", "sarah johnson"), ("Sarah Johnson™",
        "sarah johnson"), ("Sarah® Johnson", "sarah johnson"), ("Sarah 1️⃣", "sarah"),
        # hyphen, dot, underscore; apostrophes
        ("Jean-Luc Picard", "jean luc picard"), ("Jean‑Luc Picard", "jean luc picard"), ("J.R. Smith", "j r smith"),
        ("J. R. Smith", "j r smith"), ("sarah_johnson", "sarah johnson"), ("sarah.johnson", "sarah johnson"),
        ("Mary Smith-Jones", "mary smith jones"), ("St. John Smith", "st john smith"),
        ("Conan O'Brien", "conan obrien"), ("Conan O’Brien", "conan obrien"), ("Conan O‘Brien", "conan obrien"),
        ("Conan OʼBrien", "conan obrien"), ("Conan O`Brien", "conan obrien"), ("Conan O´Brien", "conan obrien"),
        ("Conan O＇Brien", "conan obrien"), ("D'Angelo Russo", "dangelo russo"), ("ʻIolani Kahale", "iolani kahale"),
        ("'Abd al-Aziz al-Rawi", "abd al aziz al rawi"),
        # Last, First
        ("Johnson, Sarah", "sarah johnson"), ("JOHNSON,SARAH", "sarah johnson"), ("Johnson , Sarah ,", "sarah johnson"),
        ("O'Brien, Conan", "conan obrien"), ("van der Berg, Jan", "jan van der berg"), ("Smith, Dr. John",
        "john smith"),
        ("Smith, Mrs. Jane", "jane smith"), ("García López, María José", "maria jose garcia lopez"),
        ("Johnson， Sarah", "sarah johnson"), ("Patel, MD, Asha", "asha patel"), ("Smith, J.", "j smith"),
        # what is somebody's name
        ("Anh Do", "anh do"), ("Do, Anh", "anh do"), ("Nguyen, Do", "do nguyen"), ("Jack Ma", "jack ma"), ("JACK MA",
        "jack ma"),
        ("Martin King", "martin king"), ("King, Martin", "martin king"), ("Major Lee", "major lee"), ("Dean Martin",
        "dean martin"),
        ("Judge Reinhold", "judge reinhold"), ("Prince Rogers Nelson", "prince rogers nelson"), ("Earl Grey",
        "earl grey"),
        ("Lady Gaga", "lady gaga"), ("Linda Senior", "linda senior"), ("Naomasa Ii", "naomasa ii"), ("Bishop Smith",
        "bishop smith"),
        ("Hyun Na", "hyun na"), ("Maria Flor V.", "maria flor v"), ("Pa Vang", "pa vang"), ("Sri Mulyani",
        "sri mulyani"),
        ("Test Johnson", "test johnson"), ("Jennifer Null", "jennifer null"), ("Madonna", "madonna"), ("A", "a"),
        ("Ana Gen", "ana gen"), ("Sig Hansen", "sig hansen"), ("Gen Hoshino", "gen hoshino"),
        # other scripts
        ("习近平", "习近平"), ("山田 太郎", "山田 太郎"), ("김 민수", "김 민수"), ("がんばれ ぽん", "がんばれ ぽん"),
        ("Сергей Ёлкин", "сергей елкин"), ("Йосиф", "йосиф"), ("नरेन्द्र मोदी", "नरेन्द्र मोदी"), ("محمد بن سلمان",
        "محمد بن سلمان"),
        ("مُحَمَّد", "محمد"), ("שָׂרָה", "שרה"), ("Γιώργος Παπαδόπουλος", "γιωργοσ παπαδοπουλοσ"), ("สมชาย ใจดี",
        "สมชาย ใจดี"),
        ("ﾀﾅｶ", "タナカ"),
        # two people
        ("John & Jane Smith", "john and jane smith"), ("John and Jane Smith", "john and jane smith"),
    ],
)  # fmt: skip
def test_the_key_is_what_is_the_name(raw: str, key: str) -> None:
    assert normalise_name(raw).canonical == key


@pytest.mark.parametrize(
    ("raw", "key", "suffix"),
    [("John Smith Jr.", "john smith", "jr"), ("John Smith, Jr", "john smith", "jr"), ("John Smith Junior",
     "john smith", "jr"),
     ("Smith, John Jr.", "john smith", "jr"), ("Smith Jr., John", "john smith", "jr"), ("Smith, Jr., John",
     "john smith", "jr"),
     ("Smith, John, Jr.", "john smith", "jr"), ("John Smith SR", "john smith", "sr"), ("John Smith Senior",
     "john smith", "sr"),
     ("John Smith II", "john smith", "ii"), ("John Smith 2nd", "john smith", "ii"), ("John Smith, III", "john smith",
     "iii"),
     ("John Smith 3rd", "john smith", "iii"), ("John Smith Ⅲ", "john smith", "iii"), ("John Smith iv", "john smith",
     "iv"),
     ("John Jr.", "john", "jr"), ("Rev. Martin Luther King, Jr.", "martin luther king", "jr"),
     ("John Smith Jr., MD", "john smith", "jr"), ("John Smith MD Jr", "john smith", "jr"),
     ("John Smith the 3rd", "john smith", "iii"), ("Dr. John Smith III", "john smith", "iii"),
     ("Carlos Santos Júnior", "carlos santos", "jr"), ("John Smith", "john smith", "")],
)  # fmt: skip
def test_a_suffix_stands_apart(raw: str, key: str, suffix: str) -> None:
    read = normalise_name(raw)
    assert (read.canonical, read.suffix) == (key, suffix)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("", Reason.EMPTY), ("\u200b ", Reason.EMPTY), ("---", Reason.NO_LETTERS), ("😀", Reason.EMPTY),
     ("123", Reason.NO_LETTERS),
     ("null", Reason.PLACEHOLDER), ("N/A", Reason.PLACEHOLDER), ("Unknown", Reason.PLACEHOLDER),
     ("Test", Reason.PLACEHOLDER),
     ("test test", Reason.PLACEHOLDER), ("First Last", Reason.PLACEHOLDER), ("Mr.", Reason.PLACEHOLDER),
     ("null null", Reason.PLACEHOLDER), ("None None", Reason.PLACEHOLDER), ("undefined undefined", Reason.PLACEHOLDER),
     ("Guest User", Reason.PLACEHOLDER), ("Unknown, Unknown", Reason.PLACEHOLDER),
     ("WIRELESS CALLER", Reason.PLACEHOLDER), ("sarah@example.com", Reason.NOT_A_NAME),
     ("https://example.com", Reason.NOT_A_NAME), ("x" * 201, Reason.TOO_LONG)],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_the_reason(raw: str, reason: Reason) -> None:
    read = normalise_name(raw)
    assert (read.canonical, read.reason) == ("", reason)


@pytest.mark.parametrize(
    ("raw", "first", "last"),
    [("Sarah Johnson", "Sarah", "Johnson"), ("Johnson, Sarah", "Sarah", "Johnson"), ("SARAH JOHNSON", "SARAH",
     "JOHNSON"),
     ("Mr. John Smith", "John", "Smith"), ("Mrs. Johnson", "", "Johnson"), ("John Smith, Jr.", "John", "Smith Jr."),
     ("John Q. Public", "John Q.", "Public"), ("Mary Jane Smith", "Mary Jane", "Smith"), ("Conan O’Brien", "Conan",
     "O’Brien"),
     ("Ludwig van Beethoven", "Ludwig", "van Beethoven"), ("Juan de la Cruz", "Juan", "de la Cruz"),
     ("John E. Smith", "John E.", "Smith"),
     ("John E Smith", "John E", "Smith"), ("Dr. John Y Smith", "John Y", "Smith"), ("Zoë", "Zoë", ""),
     ("Jean-Luc Picard 😀", "Jean-Luc", "Picard"), ("习近平", "习近平", ""), ("Dr. Sarah Johnson, MD", "Sarah",
     "Johnson"),
     ("unknown", "", ""), ("sarah@example.com", "", ""), ("", "", ""), ("van der Berg, Jan", "Jan", "van der Berg")],
)  # fmt: skip
def test_the_shown_name_keeps_its_spelling(raw: str, first: str, last: str) -> None:
    assert split_name(raw) == (first, last)
    assert display_name(raw) == f"{first} {last}".strip()


@pytest.mark.parametrize(
    ("text", "nobody"),
    [("", True), ("n/a", True), ("N/A", True), ("Unknown", True), ("-", True), ("Na", False), ("Ma", False),
     ("Sarah", False)],
)  # fmt: skip
def test_who_is_nobody(text: str, nobody: bool) -> None:
    assert is_nobody(text) is nobody


@given(names)
def test_anything_is_a_name_or_refused(raw: str) -> None:
    read = normalise_name(raw)
    if not read.is_valid:
        assert read.reason in set(Reason)
        assert read.canonical == ""
        return
    assert normalise_name(read.canonical).canonical == read.canonical == f"{read.given} {read.family}".strip()
    assert unicodedata.is_normalized("NFC", read.canonical)
    assert read.canonical == " ".join(read.canonical.split())
    assert read.suffix in {"", "jr", "sr", "ii", "iii", "iv"}


usual = st.tuples(
    st.sampled_from(["", "Mr ", "Mrs. ", "Dr. ", "dr ", "Sr. ", "Mr. Dr. ", "Lord ", " "]),
    st.lists(
        st.sampled_from(
            [
                "Sarah",
                "JOHNSON",
                "Zoë",
                "O'Brien",
                "Jean-Luc",
                "van",
                "de",
                "da-e",
                "J.",
                "E.",
                "e",
                "y",
                "null",
                "Test",
                "na-n",
                "Ma",
                "Do",
                "No",
                "Name",
                "D'e",
                "N'a",
                "n.",
                "a.",
                "unknown",
            ]
        ),
        min_size=1,
        max_size=4,
    ).map(" ".join),
    st.sampled_from(
        [
            "",
            "",
            " Jr.",
            " III",
            ", Anna",
            ", null",
            ",E.",
            ", Jr",
            " sr",
            "  ",
            ", Jean-Luc M.",
            " the 3rd",
            ", M. D.",
            " Ph. D.",
            " M. D.",
        ]
    ),
).map("".join)


@given(names | usual)
def test_the_short_cut_gives_what_the_long_way_gives(raw: str) -> None:
    short = read_plain(raw)
    assert short is None or short == read_any(raw)


ascii_names = st.lists(words.filter(str.isascii), min_size=1, max_size=4).map(" ".join)


@given(ascii_names, st.sampled_from("\u200b\u00ad\u2060\ufeff"), st.integers(0, 20))
def test_what_nobody_sees_changes_nothing(raw: str, invisible: str, place: int) -> None:
    read = normalise_name(raw)
    assert normalise_name(raw[:place] + invisible + raw[place:]) == read
    assert normalise_name(f" {raw.replace(' ', '  ')}\u3000") == read


@given(nasty)
def test_cleaning_is_stable(text: str) -> None:
    assert clean(clean(text)) == clean(text)
