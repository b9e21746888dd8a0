"""Makes the content of results.json and results.csv."""
