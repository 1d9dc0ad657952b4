"""LaTeX formulas → what each of their commands prints."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Between dollar signs as Pandoc has it: no blank inside, no digit behind the closing one.
MATH = re.compile(
    r"\$\$(?P<display>.+?)\$\$"
    r"|\\\[(?P<bracket>.+?)\\\]"
    r"|\\\((?P<parenthesis>.+?)\\\)"
    r"|(?<![\\$])\$(?=\S)(?P<inline>[^$\n]+?)(?<=\S)\$(?![\d$])",
    re.DOTALL,
)
# Between single dollar signs a formula has a command, an index, or is a short name: `$x$`, `$n=3$`.
# All else is two prices.
LATEX_SIGN = re.compile(r"[\\^_{}]|^[A-Za-z]'?(?:\s*[=<>+-]\s*\w{1,3})?$")
# A line without dollar signs is a formula where it has one of these: so writes the prompt
# `Formula Recognition:`.
BARE_FORMULA = re.compile(
    r"\\(?:d?frac|sqrt|sum|int|prod|begin|left|math[a-z]+|text|over[a-z]+|under[a-z]+)\b"
)
PIECE = re.compile(
    r"\\(?P<environment>begin|end)\s*\{[^{}]*\}(?:\{[clr|\s]*\})?"
    r"|\\(?P<command>[A-Za-z]+)\*?"
    r"|\\(?P<sign>.)"
    r"|(?P<other>[&{}^_~$])",
    re.DOTALL,
)
# They arrange or style and print nothing of their own.
SILENT = frozenset(
    """frac dfrac tfrac cfrac binom dbinom tbinom sqrt left right big Big bigg Bigg bigl bigr Bigl
    Bigr middle text textbf textit textrm textsf texttt mathrm mathbf mathit mathsf mathtt mathcal
    mathbb mathfrak mathscr boldsymbol bm operatorname overline underline hat bar tilde vec dot
    ddot widehat widetilde overbrace underbrace overrightarrow overset underset stackrel substack
    limits nolimits displaystyle textstyle scriptstyle label hline cline phantom mathop mathrel
    mathbin mathord boxed cancel color rm bf it cal""".split()
)
SPACES = frozenset("quad qquad hspace tag".split())
SYMBOLS = {
    "times": "×", "cdot": "·", "cdots": "⋯", "dots": "…", "ldots": "…", "vdots": "⋮", "ddots": "⋱",
    "pm": "±", "mp": "∓", "div": "÷", "ast": "∗", "star": "⋆", "circ": "∘", "bullet": "•",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈",
    "equiv": "≡", "sim": "∼", "simeq": "≃", "cong": "≅", "propto": "∝", "ll": "≪", "gg": "≫",
    "infty": "∞", "partial": "∂", "nabla": "∇", "sum": "∑", "prod": "∏", "int": "∫", "oint": "∮",
    "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂", "supset": "⊃", "subseteq": "⊆",
    "supseteq": "⊇", "cup": "∪", "cap": "∩", "emptyset": "∅", "forall": "∀", "exists": "∃",
    "neg": "¬", "land": "∧", "wedge": "∧", "lor": "∨", "vee": "∨", "oplus": "⊕", "otimes": "⊗",
    "to": "→", "rightarrow": "→", "longrightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔",
    "Rightarrow": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔", "iff": "⇔", "mapsto": "↦",
    "uparrow": "↑", "downarrow": "↓", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋",
    "lceil": "⌈", "rceil": "⌉", "mid": "|", "vert": "|", "Vert": "‖", "parallel": "∥", "perp": "⊥",
    "angle": "∠", "triangle": "△", "prime": "′", "degree": "°", "hbar": "ℏ", "ell": "ℓ", "Re": "ℜ",
    "Im": "ℑ", "aleph": "ℵ", "dagger": "†", "checkmark": "✓", "copyright": "©", "pounds": "£",
    "S": "§", "varepsilon": "ε", "varphi": "φ", "vartheta": "θ", "varrho": "ρ", "varsigma": "ς",
    "lambda": "λ", "Lambda": "Λ",
}  # fmt: skip


def formulas(written: str) -> Iterator[tuple[int, int, int, int, bool]]:
    """(start, inner start, inner stop, stop, is it a block) of each formula, in order."""
    for match in MATH.finditer(written):
        kind = str(match.lastgroup)  # each alternative of MATH has a name
        if kind == "inline" and not LATEX_SIGN.search(match[kind]):
            continue
        is_block = kind in ("display", "bracket")
        yield match.start(), *match.span(kind), match.end(), is_block
    for line in re.finditer(r".+", written):
        if BARE_FORMULA.search(line.group()):
            yield line.start(), *line.span(), line.end(), False


def latex_pieces(written: str, start: int, stop: int) -> Iterator[tuple[int, int, str]]:
    """(start, stop, printed characters) of each command and sign of LaTeX within a formula."""
    for match in PIECE.finditer(written, start, stop):
        yield *match.span(), _prints(match)


def _prints(match: re.Match[str]) -> str:
    if match["environment"]:
        return "\n"
    if (other := match["other"]) is not None:
        return {"&": "\t", "~": " "}.get(other, "")
    if (sign := match["sign"]) is not None:
        if sign == "\\":
            return "\n"
        return " " if sign in ",;:! \n" else sign
    command = match["command"]
    if command in SPACES:
        return " "
    # an operator such as \sin prints its name, and so may what is unknown here
    return "" if command in SILENT else SYMBOLS.get(command) or _greek(command) or command


@lru_cache(maxsize=256)
def _greek(command: str) -> str | None:
    size = "CAPITAL" if command[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {command.upper()}")
    except KeyError:
        return None
