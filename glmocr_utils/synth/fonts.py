"""Which font families pages are drawn in, and where their files are.

A family is known by the names of its files, which are looked up in the system's font folders.
DejaVu comes with matplotlib, so there is always something to draw with.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib

FONT_DIRS = (
    Path("/usr/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path(matplotlib.get_data_path()) / "fonts/ttf",
)


@dataclass(frozen=True, slots=True)
class FontFamily:
    """A family of one to four font files.

    Attributes:
        name: as people call it.
        debian_package: installs it; None for what matplotlib brings.
        files: file name for each of `regular`, `bold`, `italic`, `bold_italic` that exists.
        trained: whether the bundled model may be trained on it; the others are kept apart, to
            measure how it generalises.
    """

    name: str
    debian_package: str | None
    files: dict[str, str]
    trained: bool = True


def _family(
    name: str, package: str | None, pattern: str, styles: str, trained: bool = True
) -> FontFamily:
    """`styles`: the four words that replace `*` in `pattern`; `-` where there is no such file."""
    keys = ("regular", "bold", "italic", "bold_italic")
    files = {
        key: pattern.replace("*", "" if style == "." else style)
        for key, style in zip(keys, styles.split(), strict=True)
        if style != "-"
    }
    return FontFamily(name, package, files, trained)


_FOUR = "Regular Bold Italic BoldItalic"

FAMILIES = tuple(
    _family(*row)
    for row in (
        ("DejaVu Sans", None, "DejaVuSans*.ttf", ". -Bold -Oblique -BoldOblique"),
        ("DejaVu Serif", None, "DejaVuSerif*.ttf", ". -Bold -Italic -BoldItalic"),
        ("DejaVu Sans Mono", None, "DejaVuSansMono*.ttf", ". -Bold -Oblique -BoldOblique"),
        (
            "Liberation Sans",
            "fonts-liberation",
            "LiberationSans-*.ttf",
            _FOUR,
        ),
        (
            "Liberation Serif",
            "fonts-liberation",
            "LiberationSerif-*.ttf",
            _FOUR,
        ),
        (
            "Liberation Mono",
            "fonts-liberation",
            "LiberationMono-*.ttf",
            _FOUR,
        ),
        ("Carlito", "fonts-crosextra-carlito", "Carlito-*.ttf", _FOUR),
        ("Caladea", "fonts-crosextra-caladea", "Caladea-*.ttf", _FOUR),
        ("EB Garamond", "fonts-ebgaramond", "EBGaramond12-*.otf", "Regular - Italic -"),
        ("Linux Libertine", "fonts-linuxlibertine", "LinLibertine_*.otf", "R RB RI RBI"),
        ("Lato", "fonts-lato", "Lato-*.ttf", _FOUR),
        ("Roboto", "fonts-roboto-unhinted", "Roboto-*.ttf", _FOUR),
        ("P052 (Palatino)", "fonts-urw-base35", "P052-*.otf", "Roman Bold Italic BoldItalic"),
        ("C059 (Century)", "fonts-urw-base35", "C059-*.otf", "Roman Bold Italic BdIta"),
        (
            "URW Bookman",
            "fonts-urw-base35",
            "URWBookman-*.otf",
            "Light Demi LightItalic DemiItalic",
        ),
        ("Open Sans", "fonts-open-sans", "OpenSans-*.ttf", _FOUR, False),
        ("Gentium", "fonts-sil-gentium", "Gentium-*.ttf", "R - I -", False),
        ("CMU Serif", "fonts-cmu", "cmun*.ttf", "rm bx ti bi", False),
    )
)


@cache
def _font_files() -> dict[str, Path]:
    """File name → path, over all font folders (also those in `GLMOCR_FONT_DIR`)."""
    folders = (*FONT_DIRS, *map(Path, filter(None, [os.environ.get("GLMOCR_FONT_DIR")])))
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.[to]tf")):
            found.setdefault(path.name, path)
    return found


def families_found(trained: bool | None = None) -> list[FontFamily]:
    """The families of which every file is on this machine.

    Args:
        trained: only those that the bundled model may be trained on (True) or may not (False).
    """
    return [
        family
        for family in FAMILIES
        if (trained is None or family.trained == trained)
        and all(file in _font_files() for file in family.files.values())
    ]


def find_font(family_name: str, style: str = "regular") -> Path:
    """The file of a family's style (`regular`, `bold`, `italic`, `bold_italic`).

    Raises:
        ValueError: no such family or style.
        FileNotFoundError: its file is not on this machine; the message says what to install.
    """
    family = next((family for family in FAMILIES if family.name == family_name), None)
    if family is None or style not in family.files:
        known = ", ".join(family.name for family in FAMILIES)
        raise ValueError(f"no font {family_name!r} in style {style!r}; the families are {known}")
    try:
        return _font_files()[family.files[style]]
    except KeyError:
        raise FileNotFoundError(
            f"{family.files[style]} is not installed; try: apt-get install {family.debian_package}"
        ) from None
