"""`python -m glmocr_utils`."""

import sys

from glmocr_utils.cli import main

sys.exit(main())
