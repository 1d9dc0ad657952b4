"""All commands. Their modules are imported when they run, since that takes seconds."""

from glmocr_utils.cli.command import Command, Shorthand
from glmocr_utils.options import (
    BrowserReviewOptions,
    CertifyOptions,
    ConvertOptions,
    DemoOptions,
    DiffOptions,
    EvaluateOptions,
    ExportOptions,
    FinetuneOptions,
    GroundOptions,
    ImagefolderOptions,
    IndexOptions,
    InferOptions,
    LabelOptions,
    OcrOptions,
    PredictionsOptions,
    SearchOptions,
)

_ALL = (
    Command(
        "render",
        "documents → PNG files and metadata.jsonl",
        ImagefolderOptions,
        "glmocr render my-pdfs/ --pages 1-3 --scale 3.0",
    ),
    Command(
        "ocr",
        "documents → text with token probabilities",
        OcrOptions,
        "glmocr ocr my.pdf --show-probs --formats hocr,pdf",
        input_option="--image",
        shorthands=(Shorthand("no_flash_attn", sets="attn", to="sdpa"),),
    ),
    Command(
        "label",
        "page images → labels with their origin, split and exported",
        LabelOptions,
        "glmocr label --source text_layer,review --review-log outputs/03_probs_viz/review.jsonl",
        input_is_path=False,
    ),
    Command(
        "finetune",
        "labels → a model that reads these pages better, evaluated on held-out documents",
        FinetuneOptions,
        "glmocr finetune --dataset-name outputs/04_labels/dataset --use-lora --output-dir my-lora",
        takes_input=False,
        more="Every field of TRL's SFTConfig is an option too, by its own name: "
        "https://huggingface.co/docs/trl/sft_trainer#trl.SFTConfig",
    ),
    Command(
        "infer",
        "a whole collection → every page read or accounted for; resumable",
        InferOptions,
        "glmocr infer my-pdfs/ --model-id my-model --output-dir outputs/06_mass_infer",
    ),
    Command(
        "index",
        "all pages of a run at a glance, beside their text; sort and search them in a browser",
        IndexOptions,
        "glmocr index outputs/06_mass_infer --worst-n 200",
    ),
    Command(
        "search",
        "search words in the readings and among the model's alternatives",
        SearchOptions,
        'glmocr search outputs/06_mass_infer --words "court of appeal"',
    ),
    Command(
        "review",
        "check the flags of a run or of saved results in a browser, without Jupyter",
        BrowserReviewOptions,
        "glmocr review outputs/06_mass_infer --num-pages 20",
        more="It serves this machine alone, at a secret address. Each decision is "
        "on disk at once; end it with Ctrl+C.",
    ),
    Command(
        "convert",
        "readings, corrected or as they are → text, searchable PDF, hOCR, ALTO, PAGE",
        ConvertOptions,
        "glmocr convert outputs/02_ocr_explore --formats pdf,txt --review-log "
        "outputs/03_probs_viz/review.jsonl",
    ),
    Command(
        "evaluate",
        "readings against true texts, and one set of readings against another",
        EvaluateOptions,
        "glmocr evaluate outputs/06_mass_infer --references outputs/04_labels/dataset",
    ),
    Command(
        "diff",
        "where two sets of readings disagree, without any reference",
        DiffOptions,
        "glmocr diff outputs/06_mass_infer --other-readings outputs/other_model",
    ),
    Command(
        "certify",
        "estimate the errors of a whole collection from 200 flags that a person checks",
        CertifyOptions,
        "glmocr certify outputs/06_mass_infer",
        more="Run it again once the flags are reviewed; it also takes a certificate.json.",
    ),
    Command(
        "predictions",
        "readings → the files that other benchmarks and hub tools expect",
        PredictionsOptions,
        "glmocr predictions outputs/06_mass_infer --form omnidocbench --benchmark OmniDocBench",
    ),
    Command(
        "ground",
        "choose the attention heads that show where on the page a token is, and evaluate them",
        GroundOptions,
        "glmocr ground --model-id my-model",
    ),
    Command(
        "export",
        "adapter or checkpoint → a model to serve, checked to read the same",
        ExportOptions,
        "glmocr export my-lora --output-dir my-model",
    ),
    Command(
        "demo",
        "run notebooks on samples with the bundled model, offline, in about two minutes",
        DemoOptions,
        "glmocr demo --full",
        takes_input=False,
    ),
)
COMMANDS = {command.name: command for command in _ALL}
