"""What all child processes share: their environment, their stops, the commit they are of."""
