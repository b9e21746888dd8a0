"""What is to be measured, framework-free: claims, variants, recipes, data, splits, metrics."""
