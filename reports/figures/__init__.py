"""The drawings and the pictures."""
