"""Where the tests' inputs are."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
BUNDLED_MODEL = ROOT / "data" / "models" / "glm-ocr-tiny"
BYTE_MODEL = ROOT / "tests" / "models" / "glm-ocr-bytes"
