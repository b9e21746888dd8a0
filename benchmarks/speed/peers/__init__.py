"""What people use today, each as a competent user writes it: what the benchmarks compare with.

A peer's module offers functions that make a callable; each runs in a process of its own
(process.py), with its framework's own settings.
"""
