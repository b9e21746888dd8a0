"""The parity ladder: both twins brought to the same numbers, step by step."""
