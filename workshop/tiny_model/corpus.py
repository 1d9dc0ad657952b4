"""Text to train the bundled model on: made-up English and German prose, references, figures.

Sentences are drawn at random from word lists, so that no text that tests or samples use can be
among them, and the model learns to look at the letters rather than to guess the word.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from glmocr_utils.synth import Block, TableCell

WORD_LISTS = {
    "en": ("/usr/share/dict/american-english", "wamerican"),
    "de": ("/usr/share/dict/ngerman", "wngerman"),
}

COMMON_WORDS = {
    "en": """the of and to in a is that for it as was with be by on not he his but at are this
        have from or had an they which one you were her all she there would their we him been has
        when who will more no if out so said what up its about into than them can only other new
        some could time these two may then do first any my now such like our over man me even most
        made after also did many before must through where much should well under between
        against upon""",
    "de": """der die das und in zu den von mit sich des auf für ist im dem nicht ein eine als auch
        es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so
        zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei hatte kann gegen vom
        können schon wenn habe seine ihre dann unter wir soll ich eines jahr zwei diese dieser
        wieder keine seiner worden will zwischen immer was sagte gibt alle seit muss doch jetzt""",
}

ENDINGS = (".", ".", ".", ".", ".", ".", "?", "!", ";", ":", "...")
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
STREETS = ("Hauptstraße", "Gartenweg", "Bahnhofstr.", "Mill Lane", "Market Street", "High Road")
TOWNS = (
    "Köln",
    "Lübeck",
    "Würzburg",
    "Gießen",
    "Norwich",
    "Aberdeen",
    "Leeds",
    "Görlitz",
    "Zürich",
)
COURTS = ("OLG", "LG", "AG", "BGH", "VG", "LSG", "BVerfG", "BAG", "OVG")
LAWS = ("BGB", "ZPO", "StGB", "GG", "VwGO", "SGB X", "HGB", "InsO", "UrhG", "EStG")
REGISTERS = ("U", "O", "StR", "ZR", "C", "BvR", "AZR")
REPORTERS = ("F.2d", "U.S.", "S. Ct.", "F. Supp. 3d", "A.C.", "W.L.R.", "All E.R.")

LONGEST_TITLE = 60  # characters
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# every character that the model must know, more or less as often as print has it
ODD_CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "0123456789"
    "äöüÄÖÜß"
    "éèêáàâçñóôúíëïÉ"
    ".,;:!?'\"()-"
    "/%&+=*#@[]<>_$"
    "§€°–—„“”‘’»«…·×"
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    language: str
    common: tuple[str, ...]
    content: tuple[str, ...]


@cache
def load_words(language: str) -> Words:
    """Read a word list.

    Raises:
        FileNotFoundError: it is not installed; the message says how to get it.
    """
    path, package = WORD_LISTS[language]
    if not Path(path).exists():
        raise FileNotFoundError(f"no word list {path}; try: apt-get install {package}")
    words = Path(path).read_text(encoding="utf-8").split()
    known = set(LETTERS + ODD_CHARACTERS)
    content = tuple(word for word in words if 2 < len(word) < 22 and set(word) <= known)
    return Words(language, tuple(COMMON_WORDS[language].split()), content)


def _number(rng: random.Random) -> str:
    value = rng.choice((rng.randrange(100), rng.randrange(3000), rng.randrange(10**7)))
    return rng.choice(
        (
            str(value),
            str(value),
            f"{value:,}",
            f"{value:,}".replace(",", "."),
            f"{value / 100:.2f}",
            f"{value / 100:.2f}".replace(".", ","),
            f"{rng.randrange(101)} %",
            f"{rng.randrange(101)}%",
            f"{rng.randrange(1, 30)}.",
        )
    )


def _money(rng: random.Random) -> str:
    amount = f"{rng.random() * 10 ** rng.randint(1, 5):,.2f}"
    swapped = amount.translate(str.maketrans(",.", ".,"))
    return rng.choice(
        (f"€{amount}", f"{swapped} €", f"${amount}", f"EUR {swapped}", f"{swapped} EUR")
    )


def _date(rng: random.Random, language: str) -> str:
    day, month, year = rng.randint(1, 31), rng.randint(1, 12), rng.randint(1890, 2030)
    name = MONTHS[language].split()[month - 1]
    return rng.choice(
        (
            f"{day}. {name} {year}" if language == "de" else f"{name} {day}, {year}",
            f"{day:02}.{month:02}.{year}",
            f"{year}-{month:02}-{day:02}",
            f"{day}/{month}/{year}",
            f"{day} {name} {year}",
        )
    )


def _reference(rng: random.Random) -> str:
    a, b, c = rng.randint(1, 950), rng.randint(1, 12), rng.randint(1, 999)
    return rng.choice(
        (
            f"§ {a} Abs. {b} Nr. {rng.randint(1, 9)} {rng.choice(LAWS)}",
            f"§§ {a}, {a + b} {rng.choice(LAWS)}",
            f"Art. {b} Abs. {rng.randint(1, 5)} GG",
            f"{rng.choice(COURTS)}, Urt. v. {_date(rng, 'de')} – {b} {rng.choice('UOSBR')} "
            f"{c}/{rng.randint(10, 99)}",
            f"Az.: {b} {rng.choice(REGISTERS)} {c}/{rng.randint(10, 29)}",
            f"{c} {rng.choice(REPORTERS)} {a} ({rng.randint(1900, 2025)})",
            f"No. {rng.randint(10, 24)}-cv-{rng.randint(100, 9999):05}",
            f"Rn. {c}",
            f"vgl. S. {a} f.",
            f"[{rng.randint(1, 99)}]",
            f"BGHZ {rng.randint(1, 230)}, {c}",
        )
    )


def _word(rng: random.Random, words: Words) -> str:
    draw = rng.random()
    if draw < 0.42:
        word = rng.choice(words.common)
    elif draw < 0.93:
        word = rng.choice(words.content)
    elif draw < 0.97:
        return _number(rng)
    else:
        return random_word(rng)
    draw = rng.random()
    if draw < 0.12:
        return word[:1].upper() + word[1:]
    return word.upper() if draw < 0.135 else word


def random_word(rng: random.Random, max_length: int = 8) -> str:
    """Characters without any sense: only looking helps."""
    length = rng.randint(1, max_length)
    pool = rng.random()
    if pool < 0.35:
        return "".join(rng.choices(LETTERS, k=length))
    if pool < 0.5:
        return "".join(rng.choices("0123456789", k=length))
    return "".join(rng.choice(rng.choice((LETTERS, ODD_CHARACTERS))) for _ in range(length))


def sentence(rng: random.Random, words: Words) -> str:
    parts = [_word(rng, words) for _ in range(rng.randint(3, 18))]
    parts[0] = parts[0][:1].upper() + parts[0][1:]
    if rng.random() < 0.18:
        extra = rng.choice(
            (_reference(rng), _reference(rng), _date(rng, words.language), _money(rng))
        )
        parts.insert(rng.randint(1, len(parts)), extra)
    for place in range(1, len(parts)):
        draw = rng.random()
        if draw < 0.07:
            parts[place - 1] += ","
        elif draw < 0.08:
            parts[place - 1] += rng.choice((";", ":", " –", " —"))
        elif draw < 0.10:
            parts[place] = f"({parts[place]})"
        elif draw < 0.12:
            opening, closing = rng.choice(("„“", "“”", '""', "''", "»«", "‚‘", "‘’"))
            parts[place] = opening.replace("‚", "„") + parts[place] + closing
        elif draw < 0.135:
            parts[place] += rng.choice(("-", "-", "/")) + rng.choice(words.content)
        elif draw < 0.14:
            parts[place] += "'s"
    return " ".join(parts) + rng.choice(ENDINGS)


def _paragraph(rng: random.Random, words: Words, sentences: int) -> Block:
    text = " ".join(sentence(rng, words) for _ in range(sentences))
    mark = rng.random()
    if mark < 0.08:
        number = rng.choice((f"{rng.randint(1, 40)}.", f"{rng.randint(1, 40)})", "–", "a)", "II."))
        return Block(f"{number} {text}", "item")
    return Block(text)


def _title(rng: random.Random, words: Words) -> str:
    return " ".join(_word(rng, words) for _ in range(rng.randint(1, 5)))


def _furniture(rng: random.Random, words: Words) -> list[Block]:
    """What a page contains besides prose: addresses, titles, rows of figures, page numbers."""
    kind = rng.randrange(6)
    if kind == 0:
        return [Block(_title(rng, words), "heading")]
    if kind == 1:
        return [Block(rng.choice((f"- {rng.randint(1, 99)} -", _title(rng, words))), "centred")]
    if kind == 2:
        return [Block(f"{rng.choice(TOWNS)}, {_date(rng, words.language)}", "right")]
    if kind == 3:
        name = f"{_title(rng, words).title()}"
        street = f"{rng.choice(STREETS)} {rng.randint(1, 199)}"
        town = f"{rng.randint(10000, 99999)} {rng.choice(TOWNS)}"
        return [Block(name), Block(street, tight=True), Block(town, tight=True)]
    if kind == 4:
        return [
            Block(f"{_title(rng, words)}\t{rng.choice((_money, _number))(rng)}", "row", tight=i > 0)
            for i in range(rng.randint(1, 7))
        ]
    return [Block(_reference(rng)), Block(_title(rng, words), tight=rng.random() < 0.5)]


def prose_blocks(rng: random.Random, characters: int) -> list[Block]:
    """Blocks of a page in one language, with about `characters` characters in all."""
    words = load_words(rng.choice(("en", "de")))
    blocks: list[Block] = []
    while sum(len(block.text) for block in blocks) < characters:
        if rng.random() < 0.35:
            blocks += _furniture(rng, words)
        else:
            blocks.append(_paragraph(rng, words, rng.randint(1, 5)))
    return blocks


def slip_blocks(rng: random.Random, characters: int) -> list[Block]:
    """Blocks of a receipt or a form: a head, groups of rows, now and then a line at the end."""
    words = load_words(rng.choice(("en", "de")))
    blocks = [Block(_title(rng, words), "centred")]
    if rng.random() < 0.6:
        blocks.append(Block(f"{rng.choice(TOWNS)}, {_title(rng, words)}", "centred", tight=True))
    while sum(len(block.text) for block in blocks) < characters:
        blocks += [
            Block(f"{_label(rng, words)}\t{_entry(rng, words)}", "row", tight=number > 0)
            for number in range(rng.randint(1, 6))
        ]
    if rng.random() < 0.6:
        blocks.append(Block(sentence(rng, words), rng.choice(("centred", "paragraph"))))
    return blocks


def _label(rng: random.Random, words: Words) -> str:
    ends = (
        "",
        "",
        "",
        " No.",
        f" × {rng.randint(1, 12)}",
        f", {rng.randint(1, 90)} ml",
        " 10%",
        ":",
    )
    return _title(rng, words) + rng.choice(ends)


def _entry(rng: random.Random, words: Words) -> str:
    amount = f"{rng.random() * 10 ** rng.randint(1, 4):.2f}"
    initials = " ".join(f"{letter}." for letter in rng.choices(LETTERS.upper(), k=2))
    return rng.choice(
        (
            amount,
            amount,
            f"-{amount}",
            amount.replace(".", ","),
            f"{rng.randrange(10**6):06}",
            _money(rng),
            _number(rng),
            _date(rng, words.language),
            initials,
            _word(rng, words),
        )
    )


def close(rng: random.Random, blocks: Sequence[Block]) -> list[Block]:
    """Blocks with a short end that is no sentence, as letters and decisions are signed."""
    words = load_words(rng.choice(("en", "de")))
    kind = rng.choice(("paragraph", "paragraph", "right", "centred"))
    text = " ".join(_word(rng, words) for _ in range(rng.randint(1, 4)))
    end = [Block(text + rng.choice(("", "", ",")), kind)]
    if rng.random() < 0.5:
        name = f"{rng.choice(LETTERS.upper())}. {rng.choice(words.content).capitalize()}"
        end.append(Block(name, kind, tight=rng.random() < 0.5))
    return [*blocks, *end]


def table_rows(rng: random.Random, max_rows: int, max_columns: int) -> list[list[TableCell]]:
    """The cells of a table in one language: labels at the left, mostly figures, a few spans."""
    words = load_words(rng.choice(("en", "de")))
    num_rows, num_columns = rng.randint(1, max_rows), rng.randint(2, max_columns)
    kinds = ["label", *(rng.choice(("figure", "figure", "label")) for _ in range(num_columns - 1))]
    has_heads = num_rows > 1 and rng.random() < 0.7
    spanning = rng.random() < 0.4
    rows: list[list[TableCell]] = [[] for _ in range(num_rows)]
    taken: set[tuple[int, int]] = set()
    for row in range(num_rows):
        for column in range(num_columns):
            if (row, column) in taken:
                continue
            down = across = 1
            if spanning and rng.random() < 0.12:
                down, across = rng.choice(((2, 1), (1, 2)))
            area = {(row + y, column + x) for y in range(down) for x in range(across)}
            inside = row + down <= num_rows and column + across <= num_columns
            if area & taken or not inside:
                down, across, area = 1, 1, {(row, column)}
            taken |= area
            kind = "label" if has_heads and row == 0 else kinds[column]
            rows[row].append(TableCell(_cell_text(rng, words, kind), down, across))
    return rows


def _cell_text(rng: random.Random, words: Words, kind: str) -> str:
    if rng.random() < 0.08:
        return ""
    if kind == "figure":
        return rng.choice((_money, _number, _number))(rng)
    return rng.choice((_title(rng, words), _word(rng, words), _word(rng, words)))


def random_blocks(rng: random.Random, characters: int) -> list[Block]:
    """One block of meaningless words, with about `characters` characters."""
    text: list[str] = []
    while sum(map(len, text)) < characters:
        text.append(random_word(rng, 12))
    return [Block(" ".join(text))]


def capitalise(rng: random.Random, blocks: Sequence[Block], share: float) -> list[Block]:
    """`share` of the blocks in capitals: all of a title, the first words of a paragraph."""
    return [
        replace(block, text=_in_capitals(rng, block.text)) if rng.random() < share else block
        for block in blocks
    ]


def _in_capitals(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    num_capital = rng.randint(1, 6) if len(text) > LONGEST_TITLE else len(words)
    return " ".join([*(word.upper() for word in words[:num_capital]), *words[num_capital:]])


def echo(rng: random.Random, blocks: Sequence[Block], share: float) -> list[Block]:
    """Blocks of which `share` of the words repeat one from a few words before.

    A reader that finds its place by what it wrote last must not continue behind the other one.
    """
    return [
        block if block.kind == "row" else replace(block, text=_with_echoes(rng, block.text, share))
        for block in blocks
    ]


def _with_echoes(rng: random.Random, text: str, share: float) -> str:
    words = text.split(" ")
    for place in range(2, len(words)):
        if rng.random() < share:
            words[place] = words[place - rng.randint(2, min(place, 8))]
    return " ".join(words)


def leave_open(rng: random.Random, blocks: Sequence[Block], share: float) -> list[Block]:
    """Blocks of which `share` end without a full stop, as lists and tables do."""
    return [
        replace(block, text=block.text.rstrip(".?!;:") or block.text)
        if rng.random() < share
        else block
        for block in blocks
    ]
