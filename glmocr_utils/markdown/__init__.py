"""A page, as it was read → Markdown; its regions also as the official SDK's JSON.

text = page_markdown(regions_of_result(result), link=lambda region: f"{region.index}.png")
"""

from glmocr_utils.markdown.page import (
    RegionText,
    page_markdown,
    plain_formula,
    region_content,
    regions_of_result,
    regions_of_row,
)
from glmocr_utils.markdown.pictures import crop_pictures, picture_name
from glmocr_utils.markdown.sdk import sdk_page
from glmocr_utils.markdown.tables import as_markdown_table
from glmocr_utils.markdown.text import page_head, text_markdown

__all__ = [
    "RegionText",
    "as_markdown_table",
    "crop_pictures",
    "page_head",
    "page_markdown",
    "picture_name",
    "plain_formula",
    "region_content",
    "regions_of_result",
    "regions_of_row",
    "sdk_page",
    "text_markdown",
]
