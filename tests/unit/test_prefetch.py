"""What is made ahead leaves the cores to the model."""

import torch

from glmocr_utils.ocr.prefetch import Prefetch


def test_what_is_made_ahead_takes_one_thread_and_leaves_the_model_its_own():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in range(2):  # a later thread takes no setting from an earlier one
            with Prefetch((torch.get_num_threads() for _ in range(2)), 1) as ahead:
                assert list(ahead) == [1, 1]
            assert torch.get_num_threads() == 3
        with Prefetch(iter([]), 1):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
