"""Makes the drawings and the pictures of a report."""
