"""What all child processes share: their environment, their stops, one launch at a time."""
