"""Runs are handed to worker processes, and what they leave is taken in."""

import os

# Read as Ray is imported. Else any call of Ray's from a process that has left its cluster, or never
# joined one, joins the next cluster that it finds, or starts one; and the process dies with that.
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
