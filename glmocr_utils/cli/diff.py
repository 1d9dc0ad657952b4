"""`glmocr diff`: where two sets of readings disagree, without any reference."""

from pathlib import Path

import pandas as pd

from glmocr_utils.cli.command import counted
from glmocr_utils.display.evaluation import write_differences
from glmocr_utils.evaluation import load_sets
from glmocr_utils.evaluation.disagreements import (
    audit_shares,
    draw_audit,
    find_differences,
    read_audit,
    write_audit,
)
from glmocr_utils.evaluation.page_images import images_of
from glmocr_utils.options import DiffOptions

AUDIT = "audit.csv"
PAGES_SHOWN = 10


def run(options: DiffOptions) -> int:
    if options.audited:
        for side, share in audit_shares(read_audit(Path(options.audited))).items():
            print(f"{side:<8}{share}")
        return 0
    if options.readings is None or options.other_readings is None:
        raise ValueError("diff needs readings and --other-readings; --help lists all options")
    paths = (options.readings, options.other_readings)
    first, second = load_sets(paths, options.text_column)
    pages, problems = find_differences(first, second)
    if not pages:
        raise ValueError(f"{first.name} and {second.name} have no page in common")
    found = sum(len(page.disagreements) for page in pages)
    differ = sum(bool(page.disagreements) for page in pages)
    print(
        f"{counted(len(pages), 'page')} in both, {differ} differ in {counted(found, 'spot')}; "
        "the furthest apart:"
    )
    worst = pd.DataFrame(
        [(page.first.name, f"{page.rate:.1%}") for page in pages[:PAGES_SHOWN]],
        columns=["page", "differing characters"],
    )
    print(worst.to_string(index=False))
    print(*problems, sep="\n")
    shown = [page for page in pages[:PAGES_SHOWN] if page.disagreements]
    images = images_of([page.first for page in shown], options.documents)
    files = write_differences(options.output_dir, first.name, second.name, pages, shown, images)
    audit = Path(options.output_dir) / AUDIT
    write_audit(draw_audit(pages, options.audit, options.seed), audit)
    print(f"files are in {', '.join(map(str, files))}")
    print(
        f"to learn which is right: fill the column `right` of {audit}, then diff --audited {audit}"
    )
    return 0
