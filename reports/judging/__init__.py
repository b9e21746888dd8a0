"""Draws conclusions from the cells: verdicts, contrasts (differences of two), uncertainty."""
