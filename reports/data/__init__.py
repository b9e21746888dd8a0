"""results.json and results.csv."""
