"""Engines: what a Ray cluster has room for, and what is known of a model before it reads."""

import json
import shutil
from itertools import product

import pytest

from glmocr_utils.mass_infer import InferOptions
from glmocr_utils.mass_infer.engines import run_settings, start_engine
from glmocr_utils.mass_infer.ray_pool import Share, share_of


@pytest.mark.parametrize(
    ("machines", "num_actors", "share"),
    [
        ([{"CPU": 8, "GPU": 2}], None, Share(2, 1, 4)),
        ([{"CPU": 8, "GPU": 2}], 1, Share(1, 1, 8)),
        ([{"CPU": 8, "GPU": 2}], 3, Share(3, 0.5, 2)),
        ([{"CPU": 8, "GPU": 4}], 3, Share(3, 1, 2)),
        ([{"CPU": 8, "GPU": 1}], 3, Share(3, 0.3333, 2)),
        ([{"CPU": 2, "GPU": 1}, {"CPU": 2, "GPU": 1}, {"CPU": 4}], 4, Share(4, 0.5, 2)),
        ([{"CPU": 2, "GPU": 1}], 8, Share(8, 0.125, 1)),
        ([{"CPU": 8}], None, Share(1, 0, 8)),
        ([{"CPU": 8}], 3, Share(3, 0, 2)),
        ([{"CPU": 8}], 8, Share(8, 0, 1)),
        ([{"CPU": 4}, {"CPU": 2}], 1, Share(1, 0, 4)),
        ([{"CPU": 3}, {"CPU": 3}], 3, Share(3, 0, 1)),
        ([{}, {"CPU": 4}], 2, Share(2, 0, 2)),
    ],
)
def test_a_cluster_is_divided_so_that_every_actor_finds_a_place(machines, num_actors, share):
    assert share_of(machines, num_actors) == share


def test_the_actors_of_a_gpu_never_ask_for_more_than_it():
    for num_gpus, num_actors in product(range(1, 9), range(1, 65)):
        share = share_of([{"CPU": 1, "GPU": num_gpus}], num_actors).num_gpus
        steps = round(10_000 * share)
        assert steps == pytest.approx(10_000 * share, abs=1e-9) and 0 < steps <= 10_000
        assert num_gpus * (10_000 // steps) >= num_actors


def test_more_actors_than_cores_are_refused_with_the_number_that_fits():
    with pytest.raises(ValueError, match=r"num_actors=5.* has 4 and no GPU; set num_actors to 4"):
        share_of([{"CPU": 3}, {"CPU": 1}], 5)


def test_the_driver_knows_how_the_model_of_its_actors_was_trained(bundled_folder, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(bundled_folder, model)
    trained = {"prompt_style": "nothink", "scale": 3.0, "max_pixels": 500_000}
    (model / "training_report.json").write_text(json.dumps({"trained_for": trained}))
    options = InferOptions("x", engine="ray", model_id=str(model))
    engine = start_engine(options, run_settings(options), None)
    assert engine.trained_for.scale == 3.0
    assert engine.max_pixels == 500_000
