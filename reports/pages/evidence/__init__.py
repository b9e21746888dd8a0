"""The page of the evidence: which differences the runs can show."""
