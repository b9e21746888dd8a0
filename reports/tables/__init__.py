"""Makes tables and writes them in their forms."""
