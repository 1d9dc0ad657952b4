"""How pages are read."""

from dataclasses import dataclass

from glmocr_utils.options.option import Options, option
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle


@dataclass(frozen=True)
class ReadingOptions(Options):
    """Options of `read_pages` and `read_documents`."""

    prompt: str = option(
        TEXT_RECOGNITION, 'task prompt; also "Table Recognition:", "Formula Recognition:"'
    )
    prompt_style: PromptStyle | None = option(
        None, '"default" or "nothink"; None: as the model was trained'
    )
    max_tokens: int = option(2048, "token limit per page", at_least=1)
    batch_size: int = option(
        1, "pages read together", detail="in float32 the text of a page stays the same", at_least=1
    )
    top_k: int = option(5, "alternatives recorded for each token", at_least=1)
