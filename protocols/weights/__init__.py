"""The weights that a network begins with: their files, their names, their digests."""
