"""Draws the pictures in `notebooks/figures` from the samples: `make figures`.

They show what the notebooks show, for readers of the repository who have not run them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from glmocr_utils.notebook_run import project_root
from glmocr_utils.plots import page_grid
from glmocr_utils.render import RenderOptions, render_document

FOLDER = Path("notebooks/figures")
GRID = ("letter.pdf", "decision.pdf", "decision_scan.pdf", "german.pdf", "rotated.pdf")
COLORS = 64  # a palette keeps a picture with a page scan in it small


def main() -> None:
    root = project_root()
    first_page = RenderOptions(pages="1")
    pages = [next(render_document(root / "data/samples" / name, first_page)) for name in GRID]
    _save(page_grid(pages, columns=len(GRID)), root / FOLDER / "01_pages.png")


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLORS)
    small.save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
