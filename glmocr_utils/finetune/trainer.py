"""TRL's SFTTrainer where it is right, and the little that GLM-OCR needs otherwise.

Own here, each with its reason: the collator (the chat template closes no turn, so TRL's would train
no stop token), the sampler (Transformers' draws from the global random state, so a resumed run
would see other batches), the weight of each token, which positions get logits, and evaluation by
reading.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import datasets
import numpy as np
import torch
from accelerate.utils import gather_object
from transformers import ProcessorMixin, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import EvalLoopOutput
from transformers.utils import ModelOutput
from trl import SFTTrainer
from trl.models.utils import unwrap_model_for_generation

from glmocr_utils.finetune.config import FinetuneConfig
from glmocr_utils.finetune.dataset import decode_image
from glmocr_utils.finetune.evaluation import PageReading, read_held_out, scores
from glmocr_utils.finetune.examples import collate, encode_example
from glmocr_utils.finetune.freed_gradients import step_in_backward
from glmocr_utils.metrics import cer, diff_segments
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import PromptStyle

SAMPLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class PageCollator:
    """Rows of pages → a batch of `collate`: prompt, label and stop token, padded on the left."""

    processor: ProcessorMixin
    prompt_style: PromptStyle

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor | int]:
        examples = [
            encode_example(
                self.processor,
                decode_image(row["image"]),
                row["text"],
                row["prompt"],
                self.prompt_style,
            )
            for row in rows
        ]
        return collate(examples, self.processor.tokenizer.pad_token_id)


class EpochSeededSampler(LengthGroupedSampler):
    """Pages of like length together, in an order that follows from seed and epoch alone."""

    def __init__(self, batch_size: int, lengths: list[int], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return super().__iter__()


class OcrTrainer(SFTTrainer):
    """Trains on pages, and evaluates by reading held-out ones.

    Args:
        loaded: the model, frozen and adapted as it is to be trained.
        config: the run's options.
        train, held_out: pages with their `length`, as the preflight leaves them.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        config: FinetuneConfig,
        train: datasets.Dataset,
        held_out: datasets.Dataset | None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self._loaded = loaded
        self._prompt_style = config.prompt_style or loaded.prompt_style
        trained = [
            (parameter, parameter.data)
            for parameter in loaded.model.parameters()
            if parameter.requires_grad
        ]
        super().__init__(
            model=loaded.model,
            args=config,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=loaded.processor,
            data_collator=PageCollator(loaded.processor, self._prompt_style),
            callbacks=[EvaluateAndSave(), *callbacks],
        )
        if config.load_in_4bit:
            # TRL has rounded the adapter to bfloat16, in which small steps come to nothing
            for parameter, values in trained:
                parameter.data = values
        # The class says that its own loss takes no number of tokens, and so Transformers counts
        # none. TRL's loss takes it: without, a pass of short labels weighs as much as one of long.
        self.model_accepts_loss_kwargs = True

    def create_optimizer(self, *args: object, **options: object) -> torch.optim.Optimizer:
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(*args, **options)
        if is_new and self.args.free_gradients:
            step_in_backward(optimizer)
        return optimizer

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor | int], **options: object
    ) -> torch.Tensor | tuple[torch.Tensor, object]:
        """TRL's, of the last positions alone, where the labels are.

        Its head leaves out what has no label on a GPU only; elsewhere it would score each image
        token against the whole vocabulary.
        """
        inputs = dict(inputs)
        network = self.model.get_base_model() if self.args.use_lora else self.model
        with _only_last(network.base_model, inputs.pop("logits_to_keep")):
            return super().compute_loss(model, inputs, **options)

    def read(
        self, pages: datasets.Dataset, numbers: Sequence[int] | None = None
    ) -> list[PageReading]:
        """Read pages with the model as it is now, each process its share of them.

        Args:
            numbers: which rows; None reads all.
        """
        numbers = list(range(len(pages)) if numbers is None else numbers)
        share = numbers[self.accelerator.process_index :: self.accelerator.num_processes]
        is_training = self.model.training
        self.model.eval()
        with (
            unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model,
            self.compute_loss_context_manager(),
        ):
            if model.device != self.args.device:  # before training, a model to be sharded
                model.to(self.args.device)
            readings = read_held_out(
                replace(self._loaded, model=model),
                pages,
                batch_size=self.args.per_device_eval_batch_size,
                max_tokens=self.args.max_tokens,
                prompt_style=self._prompt_style,
                scale=self.args.scale,
                numbers=share,
            )
        self.model.train(is_training)
        gathered = dict(gather_object(list(zip(share, readings, strict=True))))
        return [gathered[number] for number in numbers]

    def evaluation_loop(self, *args: object, **options: object) -> EvalLoopOutput:
        """TRL's, with what reading is worth added: it decides which checkpoint is best."""
        output = super().evaluation_loop(*args, **options)
        count = min(self.args.eval_pages, len(self.eval_dataset))
        # spread over the data set, and the same pages each time
        numbers = np.linspace(0, len(self.eval_dataset) - 1, count).round().astype(int).tolist()
        readings = self.read(self.eval_dataset, numbers)
        prefix = options.get("metric_key_prefix", "eval")
        output.metrics.update({f"{prefix}_{k}": value for k, value in scores(readings).items()})
        if self.is_world_process_zero():
            worst = max(readings, key=lambda reading: cer(*reading.pair))
            print(f"step {self.state.global_step}, the worst of {count} pages:")
            print(marked_difference(*worst.pair)[:SAMPLE_CHARACTERS], flush=True)
        return output

    def _get_train_sampler(
        self, train_dataset: datasets.Dataset | None = None
    ) -> torch.utils.data.Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        args = self.args
        batch_size = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        lengths = list((train_dataset or self.train_dataset)["length"])
        return EpochSeededSampler(batch_size, lengths, args.seed)


@contextmanager
def _only_last(backbone: torch.nn.Module, count: int) -> Iterator[None]:
    """Within, the backbone's hidden states are those of the last `count` positions."""

    def keep(_module: torch.nn.Module, _arguments: tuple, output: ModelOutput) -> ModelOutput:
        output.last_hidden_state = output.last_hidden_state[:, -count:]
        return output

    hook = backbone.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()


class EvaluateAndSave(TrainerCallback):
    """Evaluates at the end too, and saves a checkpoint whenever the CER is the best so far."""

    def on_step_end(self, args, state, control, **_others: object):
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True
        return control

    def on_evaluate(self, args, state, control, metrics: dict[str, float], **_others: object):
        rate = metrics.get(f"eval_{args.metric_for_best_model.removeprefix('eval_')}")
        best = state.best_metric
        if args.load_best_model_at_end and rate is not None and (best is None or rate < best):
            control.should_save = True
        return control


def marked_difference(reference: str, prediction: str) -> str:
    """One text that shows both: `[-missed-]` and `{+made up+}`, around what they share."""
    parts = []
    for segment in diff_segments(reference, prediction):
        if segment.kind == "equal":
            parts.append(segment.first)
            continue
        parts.append(f"[-{segment.first}-]" if segment.first else "")
        parts.append(f"{{+{segment.second}+}}" if segment.second else "")
    return "".join(parts)
