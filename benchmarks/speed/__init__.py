"""`make bench`: how fast the twins are, side by side with plain code in each library."""
