"""`index.html`: every page as a thumbnail, coloured by doubt and status, sorted and searched.

One file with a script of its own and nothing from elsewhere: a browser lets no other script run.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nlargest
from itertools import count
from pathlib import Path
from urllib.parse import quote

from glmocr_utils.display.collection.entries import PageEntry, entries_of
from glmocr_utils.display.collection.page_files import FOLDER, Key, PageFile, write_page_files
from glmocr_utils.display.collection.thumbnails import thumbnails
from glmocr_utils.display.escape import escape
from glmocr_utils.display.fragment import style
from glmocr_utils.files import write_file

NAME = "index.html"
MOST_PAGES = 5000  # that a browser shows without waiting
MOST_OTHERS = 300  # words among the alternatives of a page
HERE = Path(__file__).parent


def write_index(
    path: str | Path,
    output_dir: str | Path | None = None,
    *,
    worst_n: int = 50,
    most_pages: int = MOST_PAGES,
    with_thumbnails: bool = True,
    password: str | None = None,
) -> Path:
    """Write `index.html` over a run or saved results, and a file for each of the worst pages.

    Args:
        path: a run of notebook 06, or what notebook 02 wrote.
        output_dir: gets `index.html` and the folder `page_files`; None: `path`.
        worst_n: pages with a file of their own: image beside text, doubtful words tinted.
        most_pages: of a larger run, those that most need a look.
        password: opens encrypted PDFs.

    Raises:
        FileNotFoundError: there is nothing at `path`.
    """
    path = Path(path)
    folder = Path(output_dir or (path if path.is_dir() else path.parent))
    counted = count()
    # one by one: a run may have a million pages
    numbered = zip(entries_of(path), counted, strict=False)
    largest = nlargest(most_pages, numbered, key=lambda pair: (pair[0].doubt, -pair[1]))
    total = next(counted)
    entries = [entry for entry, _ in largest]
    entries.sort(key=lambda e: (e.document_path, e.page.page_index if e.page else -1))
    worst = sorted((e for e in entries if e.page and e.text), key=lambda e: -e.doubt)[:worst_n]
    numbers = {_key(entry): number for number, entry in enumerate(entries)}
    pages = [entry.page for entry in worst if entry.page]
    files = write_page_files(path, pages, folder, password, numbers)
    images = thumbnails(entries, password) if with_thumbnails else {}
    html = index_html(entries, images, files, title=folder.resolve().name, total=total)
    return write_file(folder / NAME, html, durable=False)


def index_html(
    entries: Sequence[PageEntry],
    images: Mapping[int, bytes] | None = None,
    files: Mapping[Key, PageFile] | None = None,
    *,
    title: str = "pages",
    total: int | None = None,
) -> str:
    """The whole page.

    Args:
        images: JPEG thumbnails by the number of the entry.
        files: those of pages below `page_files`, by path of the document and page index.
        total: pages of the collection, where not all of them are among the entries.
    """
    images, files = images or {}, files or {}
    style_sheet = (HERE / "index.css").read_text("utf-8")
    script = (HERE / "index.js").read_text("utf-8")
    statuses = Counter(entry.status for entry in entries)
    options = "".join(
        f'<option value="{escape(status)}">{escape(status)} ({count:,})</option>'
        for status, count in statuses.most_common()
    )
    shown = (
        f"The {len(entries):,} pages with most doubt, of {total:,}. "
        if _is_part(entries, total)
        else ""
    )
    cards = "".join(
        _card(number, entry, images.get(number), files.get(_key(entry)))
        for number, entry in enumerate(entries)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{style()}<style>{style_sheet}</style></head>"
        f'<body><main class="glmocr"><h1>{escape(title)}</h1>'
        f"<p>{shown}Stronger colour is more doubt; a dashed frame is a page with ink that isn't a "
        "plain <i>ok</i>. A page opens beside its text.</p>"
        '<div class="tools"><input id="search" type="search" '
        'placeholder="words in the text, or among what else it could be" aria-label="search">'
        f'<select id="status" aria-label="status"><option value="">every status</option>{options}'
        '</select><select id="sort" aria-label="sort by">'
        '<option value="document">by document</option><option value="doubt">most doubt first'
        '</option><option value="probability">least sure first</option>'
        '<option value="length">longest first</option><option value="status">by status</option>'
        f'</select><span id="shown"></span></div><ol class="cards" id="cards">{cards}</ol>'
        '<dialog id="dialog"><form method="dialog"><button>Close</button></form><h3></h3><p></p>'
        '<div class="sides"><img alt="the page"><pre class="text"></pre></div></dialog></main>'
        f'<script type="application/json" id="pages">{_data(entries, files)}</script>'
        f"<script>{script}</script></body></html>"
    )


def _is_part(entries: Sequence[PageEntry], total: int | None) -> bool:
    return total is not None and total > len(entries)


def _policy(script: str) -> str:
    """The browser runs this script, no other, and fetches nothing but images of the page files."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"img-src data: file: 'self'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}"


def _data(entries: Sequence[PageEntry], files: Mapping[Key, PageFile]) -> str:
    rows = [
        {
            "name": _name(entry),
            "text": entry.text,
            "status": entry.status,
            "prob": entry.mean_prob,
            "doubt": min(entry.doubt, 1e12),
            "reason": entry.reason or "",
            "others": [
                (other.word, other.read, round(other.prob, 3), other.start)
                for other in sorted(entry.others, key=lambda other: -other.prob)[:MOST_OTHERS]
            ],
            **_image_of(files.get(_key(entry))),
        }
        for entry in entries
    ]
    # nothing in a text can end the element
    return json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")


def _image_of(file: PageFile | None) -> dict[str, object]:
    """What a cut-out takes: the image beside a page's file, and where its ink is."""
    if file is None or file.image is None or file.ink is None:
        return {}
    ink = [round(file.ink.top, 4), round(file.ink.bottom, 4)]
    return {"image": _link(file.image), "ink": ink, "shape": round(file.shape, 4)}


def _link(name: str) -> str:
    return quote(f"{FOLDER}/{name}")


def _card(number: int, entry: PageEntry, image: bytes | None, file: PageFile | None) -> str:
    is_odd = entry.status not in ("ok", "blank")
    strength = min(1.0, 4 * entry.share_in_doubt)  # a page of which a quarter is, was not read
    data = base64.b64encode(image).decode("ascii") if image else ""
    picture = f'<img alt="" src="data:image/jpeg;base64,{data}">' if image else ""
    mark = ' class="status"' if is_odd else ""
    status = "" if entry.status == "ok" else f"<span{mark}>{escape(entry.status)}</span> "
    prob = f"{entry.mean_prob:.3f}" if entry.mean_prob is not None else ""
    inner = (
        f'<span class="thumb" style="--doubt:{strength:.2f}">{picture}</span>'
        f"{escape(_name(entry))} {status}{prob}<small></small>"
    )
    name = 'class="card odd"' if is_odd else 'class="card"'
    if file:
        link = escape(_link(file.name))
        return f'<li id="page-{number}"><a {name} href="{link}">{inner}</a></li>'
    return f'<li id="page-{number}"><button type="button" {name}>{inner}</button></li>'


def _name(entry: PageEntry) -> str:
    if entry.page is None:
        return Path(entry.document_path).name
    return f"{entry.page.document_name}, page {entry.page.page_number}"


def _key(entry: PageEntry) -> Key:
    """No page has a file of a document that did not open."""
    return entry.document_path, entry.page.page_index if entry.page else -1
