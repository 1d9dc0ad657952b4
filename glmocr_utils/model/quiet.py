"""Silences what libraries say on import or at each evaluation and a user cannot fix.

bitsandbytes misses a kernel that only makes 4 bits on a CPU faster; TRL uses a name that
Transformers has changed since. Transformers' bar for the loading of weights stays at 0 % in a saved
notebook; the hub's bars of a download stay.
"""

import logging
import warnings

from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
from transformers.utils.logging import disable_progress_bar

logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", r".*gradient_checkpointing\w*` is deprecated", FutureWarning)

_hub_shows_bars = not are_progress_bars_disabled()
disable_progress_bar()  # the hub's too
if _hub_shows_bars:
    enable_progress_bars()
