"""A clean page image → the same page as a scanner, a copier and the years leave it."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter


@dataclass(frozen=True, slots=True)
class Scan:
    """What happens to a page. The defaults leave it as it is.

    Attributes:
        skew_degrees: rotation, counter-clockwise.
        blur_px: radius of a Gaussian blur.
        resolution: the share of the pixels' width that survives (0.5: scanned at half the size).
        noise: standard deviation of grey-level noise, 0 to 255.
        shade: how much darker the page's dark side is than its light side, 0 to 1.
        shade_angle: direction of that gradient, in degrees.
        show_through: strength of the other side's print, mirrored, 0 to 1.
        fade: how far ink and paper move to middle grey, 0 to 1.
        jpeg_quality: 1 to 95, None without compression.
    """

    skew_degrees: float = 0.0
    blur_px: float = 0.0
    resolution: float = 1.0
    noise: float = 0.0
    shade: float = 0.0
    shade_angle: float = 0.0
    show_through: float = 0.0
    fade: float = 0.0
    jpeg_quality: int | None = None

    @classmethod
    def draw(cls, rng: np.random.Generator, strength: float) -> "Scan":
        """A random scan. `strength` 0 is nearly clean, 0.5 a moderate office scan, 1 a bad copy."""

        def sometimes(probability: float, value: float) -> float:
            return value if rng.random() < probability else 0.0

        return cls(
            skew_degrees=float(np.clip(rng.normal(0, 1.3 * strength), -3, 3)),
            blur_px=sometimes(0.6, float(rng.uniform(0, 1.2 * strength))),
            resolution=1.0 - sometimes(0.4, float(rng.uniform(0, 0.5 * strength))),
            noise=float(rng.uniform(0, 32 * strength)),
            shade=sometimes(0.6, float(rng.uniform(0, 0.45 * strength))),
            shade_angle=float(rng.uniform(0, 360)),
            show_through=sometimes(0.4, float(rng.uniform(0, 0.35 * strength))),
            fade=float(rng.uniform(0, 0.5 * strength)),
            jpeg_quality=int(rng.uniform(85 - 60 * strength, 95)),
        )


def degrade(image: Image.Image, scan: Scan, rng: np.random.Generator) -> Image.Image:
    """`image` as `scan` describes it: RGB of the same size. `rng` draws the noise."""
    page = image.convert("L")
    width, height = page.size
    if scan.show_through:
        # another page's print: mirrored, and moved so that its lines are not this page's lines
        back = ImageChops.offset(page.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0, height // 3)
        back = back.filter(ImageFilter.GaussianBlur(1.5))
        page = Image.blend(page, Image.fromarray(_darker(page, back)), scan.show_through)
    if scan.skew_degrees:
        paper = int(np.percentile(np.asarray(page)[::8, ::8], 95))
        page = page.rotate(scan.skew_degrees, Image.Resampling.BICUBIC, fillcolor=paper)
    if scan.resolution < 1:
        small = (max(1, round(width * scan.resolution)), max(1, round(height * scan.resolution)))
        page = page.resize(small, Image.Resampling.BILINEAR).resize(
            (width, height), Image.Resampling.BILINEAR
        )
    if scan.blur_px:
        page = page.filter(ImageFilter.GaussianBlur(scan.blur_px))
    if scan.fade or scan.shade or scan.noise:
        page = Image.fromarray(_light(np.asarray(page, np.float32), scan, rng))
    if scan.jpeg_quality is not None:
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=scan.jpeg_quality)
        page = Image.open(buffer)
    return page.convert("RGB")


def skew_boxes(boxes: np.ndarray, size: tuple[int, int], degrees: float) -> np.ndarray:
    """Where characters are once `Scan.skew_degrees` has turned the page.

    Args:
        boxes: (num_characters, 4): left, top, right, bottom in pixels.
        size: (width, height) of the page in pixels.

    Returns:
        Boxes of the same sizes around the turned centres.
    """
    angle = np.deg2rad(degrees)
    middle = np.array(size, np.float32) / 2
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2 - middle).T
    cos, sin = np.cos(angle), np.sin(angle)
    centres = np.stack([x * cos + y * sin, y * cos - x * sin], axis=1) + middle
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def _darker(front: Image.Image, back: Image.Image) -> np.ndarray:
    """The darker of two pages at each pixel: paper lets ink through, ink hides it."""
    return np.minimum(np.asarray(front), np.asarray(back))


def _light(page: np.ndarray, scan: Scan, rng: np.random.Generator) -> np.ndarray:
    """Fade the contrast, lay a gradient of light over it, add noise; (height, width)."""
    page = page + (150.0 - page) * scan.fade
    if scan.shade:
        height, width = page.shape
        angle = np.deg2rad(scan.shade_angle)
        across = np.linspace(-0.5, 0.5, width, dtype=np.float32) * np.float32(np.cos(angle))
        down = np.linspace(-0.5, 0.5, height, dtype=np.float32) * np.float32(np.sin(angle))
        page = page * (1 - scan.shade * (0.5 + across[None, :] + down[:, None]).clip(0, 1))
    if scan.noise:
        page = page + rng.standard_normal(page.shape, dtype=np.float32) * scan.noise
    return page.clip(0, 255).astype(np.uint8)
