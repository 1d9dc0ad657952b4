"""Silences what libraries say on import or at each evaluation and a user cannot mend.

bitsandbytes misses a kernel that only makes 4 bits on a CPU faster; TRL uses a name that
Transformers has changed since.
"""

import logging
import warnings

logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", r".*gradient_checkpointing\w*` is deprecated", FutureWarning)
