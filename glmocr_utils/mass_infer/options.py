"""What a run over a collection is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from glmocr_utils.layout import parse_tasks, resolve_layout
from glmocr_utils.mass_infer.task import Limits, RegionOptions
from glmocr_utils.model import DEFAULT_MODEL, check_dtype
from glmocr_utils.ocr import check_at_least_one
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle
from glmocr_utils.records import Furniture
from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.page_row import PageStatus
from glmocr_utils.render import RenderOptions

EngineName = Literal["local", "server", "ray"]
RETRYABLE = tuple(status for status in get_args(PageStatus) if status != "ok")


@dataclass(frozen=True, slots=True)
class InferOptions:
    """Options of `infer`; names and defaults are those of notebook 06.

    Attributes:
        input_path: a PDF, an image, a folder of them, or a `.txt` list; None is `data`, its samples
            only where they are alone.
        engine: `local` (this process), `server` (an OpenAI-compatible one) or `ray`.
        model_id: hub id or folder; for `server` its name there.
        adapter: LoRA adapter for it.
        base_url: `server`: such as `http://localhost:8000/v1`.
        concurrency: `server`: requests under way at a time.
        ray_address: `ray`: of a cluster, or `auto`; None starts Ray on this machine.
        num_actors: `ray`: models at work; None is one a GPU, or one where there is none.
        prompt: the task.
        layout: None reads whole pages; `auto` finds regions with the official layout model, and
            reads each with the prompt of its kind; or the id or folder of another one.
        tasks: prompts by kind of region, as JSON; `picture` keeps an image instead.
        furniture: headers, footers, page numbers and notes: `apart`, after the page's body; `in`,
            where they are; `out`, in the ledger, and in no text file.
        prompt_style: `default` or `nothink`; None is the one that the model was trained with, which
            a server does not tell: there it is `default`.
        scale: pixels per PDF point.
        password: opens encrypted PDFs.
        max_tokens: new tokens a page, at most.
        retry_max_tokens: for one more try of a page that met that limit.
        batch_size: pages read together, or `auto`: what free memory holds.
        retry: statuses of an earlier run whose pages are read again; with commas, or a list. Then
            `max_tokens` and `retry_max_tokens` may be others than the run's.
        calibration: `calibration.json` of notebook 03, for expected errors.
        max_failure_rate: the run stops when more of its last 200 pages fail; loops, and pages with
            ink of which nothing is read, included.
        new_run: put a run with other settings aside instead of refusing.
        attn, device_map, dtype: as in `load_model`.
        output_dir: the run's folder.

    Raises:
        ValueError: an option that cannot work.
    """

    input_path: str | Path | None = None
    engine: EngineName = "local"
    model_id: str = DEFAULT_MODEL
    adapter: str | None = None
    base_url: str | None = None
    concurrency: int = 16
    ray_address: str | None = None
    num_actors: int | None = None
    prompt: str = TEXT_RECOGNITION
    layout: str | None = None
    tasks: str | Mapping[str, str] | None = None
    furniture: Furniture = "apart"
    prompt_style: PromptStyle | None = None
    scale: float = 2.0
    password: str | None = None
    max_tokens: int = 2048
    retry_max_tokens: int | None = None
    batch_size: int | Literal["auto"] = "auto"
    retry: str | Sequence[str] | None = None
    calibration: str | None = None
    max_failure_rate: float = 0.5
    new_run: bool = False
    attn: str = "auto"
    device_map: str = "auto"
    dtype: str = "auto"
    output_dir: str | Path = "outputs/06_mass_infer"

    def __post_init__(self) -> None:
        if self.engine not in get_args(EngineName):
            raise ValueError(
                f"engine is one of {', '.join(get_args(EngineName))}, got {self.engine!r}"
            )
        if self.engine == "server" and self.base_url is None:
            raise ValueError(
                "engine='server' needs base_url, such as http://localhost:8000/v1; the README "
                "has the commands that start a server"
            )
        styles = get_args(PromptStyle)
        if self.prompt_style not in (None, *styles):
            raise ValueError(f"prompt_style is {' or '.join(styles)}, got {self.prompt_style!r}")
        unknown = sorted(self.statuses_to_retry() - set(RETRYABLE))
        if unknown:
            raise ValueError(
                f"retry takes statuses among {', '.join(RETRYABLE)}, got {', '.join(unknown)}"
            )
        if self.batch_size != "auto":
            if not isinstance(self.batch_size, int):
                raise ValueError(f"batch_size is a number or 'auto', got {self.batch_size!r}")
            check_at_least_one(batch_size=self.batch_size)
        check_at_least_one(max_tokens=self.max_tokens, concurrency=self.concurrency)
        if self.num_actors is not None:
            check_at_least_one(num_actors=self.num_actors)
        if not 0 < self.max_failure_rate <= 1:
            raise ValueError(
                f"max_failure_rate is a share above 0, at most 1, got {self.max_failure_rate}"
            )
        check_dtype(self.dtype)
        check_one_of("furniture", self.furniture, Furniture)
        parse_tasks(self.tasks)
        self.render_options()

    def statuses_to_retry(self) -> frozenset[str]:
        retry = self.retry or ()
        names = retry.split(",") if isinstance(retry, str) else retry
        return frozenset(name.strip() for name in names)

    def limits(self) -> Limits:
        return Limits(self.max_tokens, self.retry_max_tokens)

    def by_region(self) -> RegionOptions | None:
        """None where pages are read as a whole."""
        if resolve_layout(self.layout) is None:
            return None
        return RegionOptions(parse_tasks(self.tasks, self.prompt), self.furniture)

    def render_options(self) -> RenderOptions:
        return RenderOptions(scale=self.scale, password=self.password)
