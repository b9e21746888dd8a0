"""Which photograph an image shows, and which photographs overlap, as recorded."""
