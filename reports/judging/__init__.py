"""What is concluded of the cells: verdicts, contrasts, uncertainty."""
