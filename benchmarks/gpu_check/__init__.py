"""The first ten minutes on a GPU, `make gpu-check`, and what a GPU needs at least, as counted."""
