"""The first hour on a GPU: `make gpu-check`, and what a GPU needs at least, by counted work."""
