"""Judges from stored results alone: the pages, results.json and results.csv."""
