"""The programs that can be a second reader: each turns a page image into words with boxes."""

import csv
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from glmocr_utils.records import Box

NAMES = ("tesseract", "rapidocr")
TIMEOUT_S = 120
# Sauvola's: one threshold for a whole scan makes its darker half black, and leaves no word there
LOCAL_THRESHOLD = ("-c", "thresholding_method=2")
WORD_LEVEL = "5"  # of Tesseract's table


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word that a second reader read.

    Attributes:
        text: without white space.
        box: in pixels of the image.
        confidence: of the reader itself, 0 to 1.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class SecondReader:
    """A reader that is ready.

    Attributes:
        name: as it was asked for.
        read: a page image → its words, in the reader's own order.
    """

    name: str
    read: Callable[[Image.Image], list[ReadWord]]


def load_reader(name: str) -> SecondReader:
    """`tesseract`, `tesseract:deu+eng` (with languages) or `rapidocr`.

    Raises:
        ValueError: there is no reader of this name.
        ModuleNotFoundError: it is not installed; the message says how to.
    """
    program, _, languages = name.partition(":")
    if program not in NAMES:
        raise ValueError(f"second_reader is {' or '.join(NAMES)}, got {name!r}")
    if program == "rapidocr":
        return SecondReader(name, _rapidocr())
    return SecondReader(name, _tesseract(languages or "eng"))


def _tesseract(languages: str) -> Callable[[Image.Image], list[ReadWord]]:
    program = shutil.which("tesseract")
    if program is None:
        raise ModuleNotFoundError(
            "second_reader='tesseract' needs the program tesseract; install it, on Debian with: "
            "apt install tesseract-ocr"
        )
    command = [program, "stdin", "stdout", "--psm", "3", "-l", languages, *LOCAL_THRESHOLD, "tsv"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(image: Image.Image) -> list[ReadWord]:
        buffer = io.BytesIO()
        image.convert("L").save(buffer, "PNG", compress_level=1)
        done = subprocess.run(
            command,
            input=buffer.getvalue(),
            capture_output=True,
            env=environment,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"tesseract failed: {said[-1] if said else done.returncode}")
        return _words_of_table(done.stdout.decode("utf-8", errors="replace"))

    return read


def _words_of_table(table: str) -> list[ReadWord]:
    words = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = "".join((row.get("text") or "").split())
        if row["level"] == WORD_LEVEL and text:
            left, top, width, height = (float(row[k]) for k in ("left", "top", "width", "height"))
            box = Box(left, top, left + width, top + height)
            words.append(ReadWord(text, box, max(0.0, float(row["conf"]) / 100)))
    return words


def _rapidocr() -> Callable[[Image.Image], list[ReadWord]]:
    try:
        import onnxruntime  # noqa: F401  # rapidocr itself misses it at the first page only
        from rapidocr import RapidOCR
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "second_reader='rapidocr' needs rapidocr and onnxruntime; install them with: "
            "pip install 'glmocr-utils[second-reader]'"
        ) from error
    params = {
        "Global.log_level": "error",
        "Global.use_cls": False,  # pages are upright by now
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    of_thread = threading.local()  # it keeps the size of the image that it is reading

    def read(image: Image.Image) -> list[ReadWord]:
        if not hasattr(of_thread, "engine"):
            of_thread.engine = RapidOCR(params=params)
        pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]
        output: Any = of_thread.engine(pixels, return_word_box=True)
        lines = output.word_results or ()
        return [
            ReadWord("".join(text.split()), _around(corners), float(score))
            for line in lines
            for text, score, corners in line
            if text.strip() and corners is not None
        ]

    return read


def _around(corners: object) -> Box:
    points = np.asarray(corners, float).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Box(float(left), float(top), float(right), float(bottom))
