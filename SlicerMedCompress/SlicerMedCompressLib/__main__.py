"""``python -m SlicerMedCompressLib`` is ``medcompress``."""

import sys

from .cli import main

sys.exit(main())
