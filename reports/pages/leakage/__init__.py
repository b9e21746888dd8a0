"""The page of the leakage: photographs on both sides of the split."""
