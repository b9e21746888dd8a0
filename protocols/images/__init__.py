"""The images: where they lie, how they are decoded, which of them make a set, and its parts."""
