"""Fine-tuning on corrected pages: options → checked data → trained model, proved by reading.

config = make_config({"dataset_name": "outputs/04_labels/dataset", "use_lora": True})
print(check(config))
result = finetune(config)
print(*summary_lines(result), sep="\n")
"""

import glmocr_utils.model.quiet  # noqa: F401 - before TRL is imported
from glmocr_utils.finetune.config import FinetuneConfig, make_config, option_names
from glmocr_utils.finetune.preflight import Preflight
from glmocr_utils.finetune.run import FinetuneResult, check, finetune
from glmocr_utils.finetune.summary import summary_lines

__all__ = [
    "FinetuneConfig",
    "FinetuneResult",
    "Preflight",
    "check",
    "finetune",
    "make_config",
    "option_names",
    "summary_lines",
]
