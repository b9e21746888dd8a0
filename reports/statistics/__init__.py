"""Pure functions of arrays: intervals, comparisons, error rates."""
