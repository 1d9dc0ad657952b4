"""Small labelled pages for tests of fine-tuning: drawn, and written as an imagefolder."""

import json
from pathlib import Path

from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

TEXTS = (
    "The court grants the appeal.",
    "Az. 3 O 114/09, 4.500 €",
    "Kosten trägt der Kläger.",
    "Hearing refused on 12 May.",
)


def write_imagefolder(
    folder: Path, documents: int = 4, pages: int = 2, **columns: object
) -> list[dict]:
    """Write `documents` × `pages` pages and their `metadata.jsonl`; returns its rows.

    Args:
        columns: further columns, a value or a list with one for each page; None leaves out the
            column of that name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    font = find_font("DejaVu Sans")
    rows: list[dict] = []
    for document in range(documents):
        for page in range(pages):
            number = len(rows)
            style = PageStyle(font, font, width_px=224, height_px=None, margin_px=14)
            drawn = draw_page([Block(f"{TEXTS[number % len(TEXTS)]} {number}")], style)
            name = f"d{document}_p{page + 1:04d}.png"
            drawn.image.save(folder / name)
            row = {
                "file_name": name,
                "text": drawn.text,
                "document": f"d{document}.pdf",
                "document_sha256": f"{document:x}" * 64,
                "page_index": page,
            }
            rows.append(row)
    for name, values in columns.items():
        for number, row in enumerate(rows):
            value = values[number] if isinstance(values, list) else values
            if value is None and not isinstance(values, list):
                del row[name]
            else:
                row[name] = value
    write_metadata(folder, rows)
    return rows


def write_metadata(folder: Path, rows: list[dict]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
