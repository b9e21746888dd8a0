"""The first page: the claims beside the measurements."""
