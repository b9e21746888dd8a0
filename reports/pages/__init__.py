"""The pages: each takes what was judged of the runs and writes it."""
