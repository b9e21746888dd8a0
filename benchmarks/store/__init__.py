"""The runs on disk: how each is kept, read, checked and merged."""
