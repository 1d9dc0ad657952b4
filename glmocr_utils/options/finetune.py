"""Fine-tuning: GLM-OCR's own options, and those of TRL's SFTConfig that have other defaults.

Names and defaults are those of the official fine-tuning guide
(github.com/zai-org/GLM-OCR/tree/main/examples/finetune) where it has them.
"""

from dataclasses import dataclass
from typing import Literal

from glmocr_utils.options.model import ModelOptions
from glmocr_utils.options.option import Described, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.prompt import PromptStyle


@dataclass
class FinetuneOptions(Described):
    """Options of notebook 05 and of the command `finetune`, before TRL's others.

    `finetune.FinetuneConfig` adds every field of `SFTConfig` and checks them.
    """

    # model
    model_id: str = same_as(ModelOptions, "model_id", help="hub id or folder to start from")
    model_name: str | None = option(None, "another name for model_id")
    adapter: str | None = option(None, "existing LoRA adapter to continue training")
    use_lora: bool = option(False, "train a LoRA adapter instead of all weights")
    lora_rank: int = option(8, "rank of the adapter: more capacity, more memory")
    lora_alpha: int | None = option(None, "scale of the adapter; None: twice the rank")
    lora_dropout: float = option(0.0, "share of the adapter's inputs that are dropped in training")
    lora_target: str = option(
        "all", "all linear layers of what isn't frozen, or names: q_proj,v_proj"
    )
    load_in_4bit: bool = option(False, "quantise the frozen weights to NF4; for LoRA")
    freeze_vision_tower: bool = option(True, "leave the vision encoder as it is, for LoRA too")
    freeze_multi_modal_projector: bool = option(True, "leave the projector as it is")
    attn: str = same_as(ModelOptions, "attn")

    # data
    dataset_name: str = option("outputs/04_labels/dataset", "folder, hub id, or ShareGPT .json")
    train_split: str = option("train", "split to train on")
    eval_split: str | None = option(
        None, "split to evaluate on; None: the label set's own test split, or a share"
    )
    eval_split_size: float = option(0.1, "share of documents to hold out, from 0 (none) to below 1")
    prompt: str = same_as(ReadingOptions, "prompt", help="task prompt, if the data set has none")
    prompt_style: PromptStyle | None = option(
        None, "default or nothink; None: as in the model's or adapter's earlier training"
    )
    label_statuses: str = option("gold,silver", "statuses of the labels to train on")
    max_length: int | str | None = option(
        2048, 'tokens of image, prompt and label; "auto": the longest page\'s; nothing is cut'
    )
    too_long: Literal["error", "skip"] = option(
        "error", '"error" or "skip": what to do with longer pages'
    )
    scale: float | None = option(
        None, "pixels per PDF point, stored for inference; None: the data set's"
    )
    max_pixels: int | None = option(
        None, "pixel budget of a page, for inference too; None: the model's own"
    )
    dry_run: bool = option(False, "check everything, train nothing")

    # evaluation by reading
    eval_pages: int = option(64, "pages to read at each evaluation; before and after training: all")
    max_tokens: int = option(2048, "token limit per page when held-out pages are read")
    retention_dataset: str | None = option(
        None, "pages that the model must not forget, read before and after"
    )
    early_stopping_patience: int = option(
        0, "end training after this many evaluations without a better CER; 0: never"
    )

    # TRL's, with other defaults, and those of the guide
    output_dir: str = option("./glm-ocr-finetuned", "gets checkpoints, model and report")
    num_train_epochs: float = option(3, "passes over the data")
    max_steps: int = option(-1, "number of steps; above 0 it overrides the epochs")
    learning_rate: float | None = option(None, "peak learning rate; None: 1e-5, and 1e-4 for LoRA")
    lr_scheduler_type: str = option("cosine", "learning rate schedule")
    warmup_ratio: float = option(
        0.1, "share of the steps in which the learning rate rises (warm-up)"
    )
    optim: str = option(
        "adamw_torch_fused", "optimizer; adamw_8bit: smaller states; paged_adamw_8bit: also in RAM"
    )
    free_gradients: bool = option(
        False, "free each gradient at once; needs max_grad_norm=0, 1 accumulation step"
    )
    max_grad_norm: float = option(1.0, "gradients are clipped to this norm")
    per_device_train_batch_size: int = option(4, "pages per forward pass and device")
    per_device_eval_batch_size: int = option(4, "pages per forward pass and device in evaluation")
    gradient_accumulation_steps: int = option(2, "forward passes per step")
    eval_strategy: str = option("steps", '"no", "steps" or "epoch"')
    eval_steps: float | None = option(100, "steps between evaluations")
    save_steps: float = option(500, "steps between checkpoints")
    save_total_limit: int | None = option(3, "checkpoints kept")
    report_to: str | list[str] = option("wandb", '"wandb", "tensorboard" or "none"')
    load_best_model_at_end: bool | None = option(
        None, "end with the checkpoint of the lowest CER; None: if there is evaluation"
    )
    metric_for_best_model: str | None = option(
        "cer", "metric that decides which checkpoint is best"
    )
    train_sampling_strategy: str = option(
        "group_by_length", "group pages of similar length, to avoid padding"
    )
    remove_unused_columns: bool = option(False, "must stay False: pages are encoded batch by batch")
    logging_first_step: bool = option(True, "log the first step too")
