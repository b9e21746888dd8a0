"""The page of the errors: who gets which image wrong."""
