"""The page of the twins' parity."""
