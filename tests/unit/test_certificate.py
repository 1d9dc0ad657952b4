"""The certificate of a collection: units, sample, estimate, review, and checking it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from audited_collection import collection, reviewed
from make_results import page_of

from benchmarks.audit import load_pages, simulate, summary
from benchmarks.audit_readings import TABLE
from glmocr_utils.cli import main
from glmocr_utils.display import pages_above_table, strata_table
from glmocr_utils.evaluation.certificate import (
    certify,
    load_certificate,
    open_audit,
    population_of,
    save_certificate,
    verify,
)
from glmocr_utils.evaluation.certificate.estimate import StratumSample, estimate_total
from glmocr_utils.evaluation.certificate.sampling import draw_sample
from glmocr_utils.evaluation.certificate.units import (
    LONGEST_OMISSION,
    edits_of,
    page_units,
    stretches,
)
from glmocr_utils.metrics import character_edits, headline_pair, layout_aside
from glmocr_utils.notebook_run import project_root
from glmocr_utils.records import PageCoverage, UnreadInk, read_results, write_results
from glmocr_utils.review.audit import audit_session, checked_units, open_certificate, undecided


def units_of(read: str, true: str, **options):
    result = page_of(*[(character, 0.9) for character in read])
    units = page_units(result, **options)
    return units, stretches(units.spans, read, true)


@pytest.mark.parametrize(
    ("read", "true"),
    [
        ("The Courl of Ap-\npeal held that", "The Court of Appeal held that"),
        ("one two  three\nfour", "zero one tw0 three extra words four five"),
        ("# Title\n\n<table><tr><td>a1</td><td>b</td></tr></table>", "Titel\n\na1 bb"),
        ("法院認為上訴人之主張", "法院認爲上訴人主張"),
        ("words that nobody printed", ""),
        ("", "all of it is missing"),
        ("made up", "other text altogether"),
    ],
)
@pytest.mark.parametrize("longest", [0, 12, 40])
def test_units_share_out_all_edits_of_a_page(read, true, longest):
    units, texts = units_of(read, true, longest=longest)
    pair = headline_pair(true, read)
    if len(units):
        assert ("".join(t for _, t in texts), "".join(r for r, _ in texts)) == pair
        assert sum(character_edits(t, r) for r, t in texts) == character_edits(*pair)
        assert units.characters.sum() == len(layout_aside(read))
        assert units.predicted.sum() == pytest.approx(0.1 * len(read))
    assert len(texts) == len(units)


def test_missing_text_belongs_to_the_unit_before_it_and_counts_as_far_as_a_person_sees_it():
    _, texts = units_of("one\nthree", "one two\nthree")
    assert texts == [("one ", "one two "), ("three", "three")]
    assert edits_of(*texts[0]) == 4
    _, texts = units_of("one\nthree", "one " + "left out " * 20 + "three")
    assert edits_of(*texts[0]) == LONGEST_OMISSION
    _, texts = units_of("one", "zero one")
    assert edits_of(*texts[0]) == 5  # at the page's beginning, the first one


def test_a_unit_is_a_few_words_on_one_line():
    units, _ = units_of("aaaa bbbb cccc\ndddd eeee", "", longest=10)
    assert units.spans.tolist() == [[0, 9], [10, 14], [15, 24]]


def test_a_sample_covers_every_stratum_and_is_the_same_for_a_seed():
    risk = np.random.default_rng(1).gamma(0.05, 3, 5000)
    sample = draw_sample(risk, 200, seed=3)
    assert [len(chosen) for chosen in sample.chosen] == [50] * 4
    assert sample.sizes.sum() == 5000
    for number, chosen in enumerate(sample.chosen):
        assert (sample.strata[chosen] == number).all()
    highest = [risk[sample.strata == number].max() for number in range(4)]
    assert highest == sorted(highest)  # the surest first
    again = draw_sample(risk, 200, seed=3)
    assert all((a == b).all() for a, b in zip(sample.chosen, again.chosen, strict=True))


def test_a_model_that_is_sure_of_everything_has_its_words_checked_evenly():
    sample = draw_sample(np.full(4000, 1e-7), 200)
    assert sum(map(len, sample.chosen)) == 200
    assert sample.sizes.min() > 900


def test_a_small_collection_is_checked_in_full():
    sample = draw_sample(np.arange(60.0), 200)
    assert sorted(np.concatenate(sample.chosen).tolist()) == list(range(60))
    assert len(draw_sample(np.ones(1), 200).chosen[0]) == 1
    with pytest.raises(ValueError, match="nothing to draw from"):
        draw_sample(np.zeros(0))
    with pytest.raises(ValueError, match="too few"):
        draw_sample(np.ones(100), 5)


def stratum(size, edits, predicted=None):
    predicted = np.zeros(len(edits)) if predicted is None else np.array(predicted, float)
    return StratumSample(size, size * float(predicted.mean()), predicted, np.array(edits, float))


def test_no_error_seen_is_not_no_error():
    total = estimate_total([stratum(9000, [0] * 50), stratum(1000, [0] * 49 + [3])])
    alone = estimate_total([stratum(9000, [0] * 50)])
    assert alone.value == alone.low == 0
    # the upper end is that of Jeffreys for 0 of 50, 4.9 %, with two errors a unit
    assert alone.high == pytest.approx(9000 * 0.049 * 2, rel=0.25)
    assert total.high > total.value + 9000 * 0.02


def test_what_was_checked_in_full_is_known():
    total = estimate_total([stratum(50, [0] * 40 + [2] * 10)])
    assert (total.value, total.low, total.high) == (20, 20, 20)


def test_predictions_make_the_interval_narrower_and_worthless_ones_do_no_harm():
    rng = np.random.default_rng(0)
    edits = rng.poisson(rng.gamma(0.5, 2, 60))
    useful, worthless = edits + rng.normal(0, 0.3, 60), rng.normal(5, 2, 60)
    alone, helped, harmless = (
        estimate_total([stratum(10_000, edits, predicted)])
        for predicted in (None, useful, worthless)
    )
    assert helped.tuning > 0.8
    assert helped.high - helped.low < 0.7 * (alone.high - alone.low)
    assert harmless.high - harmless.low < 1.1 * (alone.high - alone.low)


# the way of a collection: readings → audit → review → certificate


def test_a_collection_is_audited_reviewed_certified_and_checked(tmp_path):
    readings = tmp_path / "run.jsonl"
    true = collection(readings)
    folder = tmp_path / "certificate"
    audit, population = open_audit(readings, folder, count=100, seed=5)
    assert len(audit.sample) == 100
    assert sum(stratum.units for stratum in audit.strata) == audit.units
    session = audit_session(audit, readings, folder / "review.jsonl", reviewer="mh")
    assert undecided(session, audit) == 100
    # a page of garbage asks for its flags as well
    assert not any(session.why_not_read(number) for number in range(len(session.pages)))
    with pytest.raises(ValueError, match="100 of 100 flags are not decided"):
        checked_units(session, audit)
    reviewed(session, true)
    session = audit_session(audit, readings, folder / "review.jsonl")  # from its log
    certificate = certify(audit, checked_units(session, audit), population)

    errors = sum(
        character_edits(*headline_pair(true[result.page.page_index], result.text))
        for result in read_results(readings)
    )
    assert certificate.errors.low <= errors <= certificate.errors.high
    assert certificate.decisions[0].reviewer == "mh"
    assert certificate.pages_above[0].page.page_index == 3
    path = save_certificate(certificate, folder)
    assert load_certificate(path) == certificate
    assert open_certificate(folder) == certificate
    table = strata_table(certificate)
    assert table["checked"].sum() == 100
    assert table["found"].sum() == sum(each.edits for each in certificate.decisions)
    assert pages_above_table(certificate)["page"][0] == 4
    assert verify(path, population) == []
    assert "95 % interval" in json.loads(path.read_text())["statement"]
    assert open_audit(readings, folder, count=100)[0] == audit  # kept, not drawn again
    with pytest.raises(ValueError, match="has an audit of 100 flags, seed 5"):
        open_audit(readings, folder, count=100, seed=6)


def test_the_certificate_says_what_coverage_found_left_out(tmp_path):
    readings = tmp_path / "run.jsonl"
    collection(readings)
    assert "no coverage was read" in population_of(readings).out_of_reach[-1]
    gap = UnreadInk((10, 10, 90, 30), 15.5, 1)
    of_page = [
        PageCoverage(is_clear=True, unread=(gap, gap)), PageCoverage(is_clear=True),
        PageCoverage(is_clear=False, unread=(gap,)), None,
    ]  # fmt: skip
    pages = [
        replace(result, coverage=coverage)
        for result, coverage in zip(read_results(readings), of_page, strict=False)
    ]
    write_results(pages, readings)
    said = population_of(readings).out_of_reach[-1]
    assert "about 31 characters of ink without text, on 1 of 2 pages" in said
    assert said.endswith("can say nothing of 1 more")


def test_a_certificate_that_was_changed_is_found_out(tmp_path):
    readings = tmp_path / "run.jsonl"
    true = collection(readings)
    audit, population = open_audit(readings, tmp_path, count=60)
    session = audit_session(audit, readings, tmp_path / "review.jsonl")
    reviewed(session, true)
    path = save_certificate(certify(audit, checked_units(session, audit), population), tmp_path)
    record = json.loads(path.read_text())
    wrong = next(each for each in record["decisions"] if each["edits"])

    def problems(change):
        changed = json.loads(path.read_text())
        change(changed)
        (tmp_path / "changed.json").write_text(json.dumps(changed))
        return " ".join(verify(tmp_path / "changed.json", population))

    at = record["decisions"].index(wrong)
    assert "edits are not those" in problems(lambda r: r["decisions"][at].update(edits=0))
    assert "when recomputed" in problems(
        lambda r: r["decisions"][at].update(edits=0, true=wrong["read"])
    )
    assert "was changed" in problems(lambda r: r["errors"].update(low=0.0))
    assert "draws another sample" in problems(lambda r: r["audit"].update(seed=1))
    assert "not every flag" in problems(lambda r: r["decisions"].pop())
    collection(readings, seed=2)
    assert "is not the collection" in " ".join(verify(path, population_of(readings)))
    with pytest.raises(ValueError, match="readings have changed"):
        open_audit(readings, tmp_path, count=60)


def test_what_a_person_cannot_tell_widens_the_interval_to_both_sides(tmp_path):
    readings = tmp_path / "run.jsonl"
    true = collection(readings)
    audit, population = open_audit(readings, tmp_path, count=60)
    session = audit_session(audit, readings, tmp_path / "review.jsonl")
    reviewed(session, true)
    sure = certify(audit, checked_units(session, audit), population)
    other = audit_session(audit, readings, tmp_path / "unsure.jsonl")
    unsure = next(
        number for number, page in enumerate(session.pages) if "correct" in page.decided.values()
    )
    for flag in other.pages[unsure].flags:
        other.unsure(unsure, flag)
    reviewed(other, true)
    wider = certify(audit, checked_units(other, audit), population)
    assert wider.errors.low < sure.errors.low
    assert wider.errors.high > sure.errors.high
    assert "could not be decided" in str(wider)


def test_a_page_typed_by_hand_or_put_aside_decides_its_flags(tmp_path):
    readings = tmp_path / "run.jsonl"
    true = collection(readings, num_pages=6)
    audit, _ = open_audit(readings, tmp_path, count=60)
    session = audit_session(audit, readings, tmp_path / "review.jsonl")
    for number in (0, 1, 2):
        for flag in session.pages[number].flags[1:]:
            session.accept(number, flag)  # and one stays open
    session.type_page(0, true[session.pages[0].result.page.page_index])
    session.finish(1, "not_usable")
    left = undecided(session, audit)
    assert left == 1 + sum(len(session.pages[number].flags) for number in (3, 4, 5))
    session.finish(2, "fully_read")
    for number in (3, 4, 5):
        session.accept_rest(number)
    checked = dict(zip(audit.sample, checked_units(session, audit), strict=True))
    of_page = [
        {c.verdict for u, c in checked.items() if u.page == session.pages[number].result.page}
        for number in range(3)
    ]
    assert of_page[0] <= {"right", "wrong"} and "wrong" in of_page[0]
    assert of_page[1] == {"unsure"}
    assert of_page[2] == {"right"}


def test_the_command_draws_waits_certifies_and_verifies(tmp_path, capsys):
    readings, folder = tmp_path / "run.jsonl", tmp_path / "out"
    true = collection(readings)
    arguments = ["certify", str(readings), "--num-flags", "60", "--output-dir", str(folder)]
    assert main(arguments) == 0
    assert "60 of 60 flags" in capsys.readouterr().out
    audit, _ = open_audit(readings, folder, count=60)
    with pytest.raises(ValueError, match="not decided yet"):
        open_certificate(folder, readings)
    reviewed(audit_session(audit, readings, folder / "review.jsonl"), true)
    assert open_certificate(folder, readings).audit == audit
    assert main(arguments) == 0
    assert "Headline CER of run" in capsys.readouterr().out
    path = str(folder / "certificate.json")
    assert main(["certify", path, "--collection", str(readings)]) == 0
    assert "its sample drawn again" in capsys.readouterr().out
    record = json.loads(Path(path).read_text())
    record["cer"]["value"] = 0.0
    Path(path).write_text(json.dumps(record))
    with pytest.raises(ValueError, match="does not hold: the file was changed"):
        open_certificate(path)
    assert main(["certify", path]) == 1
    assert "the file was changed" in capsys.readouterr().out
    (folder / "certificate.json").write_text("{}")
    assert main(["certify", path]) == 2
    assert "isn't a certificate" in capsys.readouterr().err


# simulated reviews of readings by the bundled model; `python -m benchmarks.audit` is the long one


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["fair", "too sure"])
def test_the_interval_holds_the_truth_and_is_narrower_than_that_of_random_words(calibration):
    pages = load_pages(project_root() / TABLE)
    runs = [simulate(pages, calibration, 0.1, 0.05, seed) for seed in range(30)]
    certificate, words = summary(runs, "certificate"), summary(runs, "as many words")
    assert certificate["held"] >= 0.9
    assert abs(certificate["bias"]) < 0.1
    assert certificate["width"] < 0.6 * words["width"]
    assert certificate["error"] < 0.6 * words["error"]
    assert np.mean([run.found for run in runs]) > 0.88
