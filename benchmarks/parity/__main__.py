"""Climbs the parity ladder: python -m benchmarks.parity --help"""

import sys

from benchmarks.terminal.supported import refuse

refuse(sys.argv[1:])

from benchmarks.parity.climb import main  # noqa: E402

sys.exit(main())
