"""Finds the photograph of every image: python -m benchmarks.photographs --help"""

import sys

from benchmarks.terminal.supported import refuse

refuse(sys.argv[1:])

from benchmarks.photographs.search import main  # noqa: E402

sys.exit(main())
