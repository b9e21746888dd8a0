"""Simulates how often an interval or a word errs, and records it in reports/published/."""
