"""The page of the speed."""
