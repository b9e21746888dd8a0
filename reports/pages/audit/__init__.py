"""The page of the claims audit: what the printed numbers allow."""
