"""Runs are handed to worker processes, and what they leave is taken in."""
