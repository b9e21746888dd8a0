"""What the papers claim and how they are read: claims, networks, recipes, profiles."""
