"""The pages of the papers: each of their tables, claimed beside measured."""
