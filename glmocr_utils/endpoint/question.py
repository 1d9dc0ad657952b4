"""A question about a page image, as chat completions take it."""

import base64


def question(image_url: str, prompt: str) -> list[dict[str, object]]:
    """The messages that ask `prompt` about one image; the image comes first, as for GLM-OCR."""
    content = [
        {"type": "image_url", "image_url": {"url": image_url}},
        {"type": "text", "text": prompt},
    ]
    return [{"role": "user", "content": content}]


def data_url(image_file: bytes, media_type: str) -> str:
    """An image file as a URL that holds it; `media_type` such as `png`."""
    return f"data:image/{media_type};base64,{base64.b64encode(image_file).decode()}"
