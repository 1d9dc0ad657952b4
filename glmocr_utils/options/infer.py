"""The options of a run over a collection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from glmocr_utils.options.layout import LayoutOptions, parse_tasks, resolve_layout
from glmocr_utils.options.model import Dtype, ModelOptions
from glmocr_utils.options.option import Options, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.options.rendering import RenderOptions
from glmocr_utils.options.second import SecondOptions, SecondPages
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import Furniture
from glmocr_utils.records.ocr_result import PageStatus

EngineName = Literal["local", "server", "ray"]
RETRYABLE = tuple(status for status in get_args(PageStatus) if status != "ok")


@dataclass(frozen=True)
class InferOptions(Options):
    """Options of `infer`, of notebook 06 and of the command `infer`: see docs/parameters.md.

    Raises:
        ValueError: an option that cannot work.
    """

    input_path: str | Path | None = option(
        None,
        "a PDF, an image, a folder, or a .txt list of paths; None: those under data/",
        detail="the samples are read only if there is nothing else",
    )
    engine: EngineName = option(
        "local", '"local", "server" (OpenAI-compatible: vLLM, SGLang) or "ray"'
    )
    model_id: str = same_as(
        ModelOptions, "model_id", help='hub id or folder; with engine "server" its name there'
    )
    adapter: str | None = same_as(ModelOptions, "adapter")
    base_url: str | None = option(
        None, 'for "server": its address, such as "http://localhost:8000/v1"'
    )
    concurrency: int = option(16, 'for "server": concurrent requests', at_least=1)
    ray_address: str | None = option(
        None, 'for "ray": address of a cluster, or "auto"; None: this machine'
    )
    num_actors: int | None = option(
        None, 'for "ray": number of models; None: one per GPU', at_least=1
    )
    prompt: str = same_as(ReadingOptions, "prompt")
    layout: str | None = same_as(LayoutOptions, "layout")
    tasks: str | Mapping[str, str] | None = same_as(LayoutOptions, "tasks")
    furniture: Furniture = same_as(LayoutOptions, "furniture")
    prompt_style: PromptStyle | None = same_as(
        ReadingOptions, "prompt_style", detail="with a server None means default"
    )
    scale: float = same_as(RenderOptions, "scale")
    password: str | None = same_as(RenderOptions, "password")
    max_tokens: int = same_as(ReadingOptions, "max_tokens")
    retry_max_tokens: int | None = option(
        None, "token limit for a second attempt when a page hits max_tokens", at_least=1
    )
    batch_size: int | Literal["auto"] = option(
        "auto", 'pages read together, or "auto": as many as fit into free memory', at_least=1
    )
    retry: str | Sequence[str] | None = option(
        None,
        'statuses to read again: "looped,empty,failed"; limits may differ',
        detail=f"among {', '.join(RETRYABLE)}",
    )
    calibration: str | None = option(None, "calibration.json of notebook 03, for expected errors")
    coverage: bool = option(
        False,
        "True: find text that was left out or made up, and read such pages again",
        detail="with a local model or Ray; choose the model's heads with the command ground first",
    )
    coverage_layout: str | None = option(
        None,
        "layout model that reads again where coverage finds much left out",
        detail="named as in layout",
    )
    second_reader: str | None = same_as(SecondOptions, "second_reader")
    second_reader_pages: SecondPages = same_as(SecondOptions, "second_reader_pages")
    max_failure_rate: float = option(
        0.5, "stop when more of the last 200 pages fail, loop or are empty"
    )
    price_per_hour: float | None = option(
        None, "machine cost per hour, in any currency; gives the cost of a million pages"
    )
    estimate: bool = option(
        False,
        "True: first read 20 pages drawn at random, and estimate the time of all pages",
        detail="the command then ends, and nothing is written",
    )
    new_run: bool = option(False, "set a run with other settings in output_dir aside")
    attn: str = same_as(ModelOptions, "attn")
    device_map: str = same_as(ModelOptions, "device_map")
    dtype: Dtype = same_as(ModelOptions, "dtype")
    output_dir: str | Path = option("outputs/06_mass_infer", "the run's folder")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine == "server" and self.base_url is None:
            raise ValueError(
                "engine='server' needs base_url, such as http://localhost:8000/v1; "
                "docs/collections.md has the commands that start a server"
            )
        if self.engine == "server" and self.coverage:
            raise ValueError(
                "coverage=True needs token ids, and a server gives none; leave it out, or take "
                "engine='local' or 'ray'"
            )
        if resolve_layout(self.coverage_layout):
            self._check_coverage_layout()
        unknown = sorted(self.statuses_to_retry() - set(RETRYABLE))
        if unknown:
            raise ValueError(
                f"retry takes statuses among {', '.join(RETRYABLE)}, got {', '.join(unknown)}"
            )
        if not 0 < self.max_failure_rate <= 1:
            raise ValueError(
                f"max_failure_rate is a share above 0, at most 1, got {self.max_failure_rate}"
            )
        if self.price_per_hour is not None and not self.price_per_hour > 0:
            raise ValueError(
                f"price_per_hour is what the machine costs an hour, above 0, got "
                f"{self.price_per_hour}; leave it out if you don't know it"
            )
        self.render_options()
        parse_tasks(self.tasks)

    def _check_coverage_layout(self) -> None:
        if not self.coverage:
            raise ValueError(
                "coverage_layout reads pages again that coverage finds incomplete; "
                "set coverage=True, too"
            )
        if resolve_layout(self.layout):
            raise ValueError(
                "with layout, all pages are read by regions; leave out layout, to read only those "
                "again that left out much, or coverage_layout"
            )

    def statuses_to_retry(self) -> frozenset[str]:
        """The statuses of an earlier run whose pages are read again, with these limits."""
        retry = self.retry or ()
        names = retry.split(",") if isinstance(retry, str) else retry
        return frozenset(name.strip() for name in names)

    def render_options(self) -> RenderOptions:
        return RenderOptions(scale=self.scale, password=self.password)
