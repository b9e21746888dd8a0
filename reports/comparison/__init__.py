"""Compares two folders of runs, for the option --compare."""
