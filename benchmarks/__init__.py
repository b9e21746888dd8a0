"""Plans, runs and stores the suite, and times it. Imports `protocols` only."""
