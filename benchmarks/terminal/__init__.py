"""What a user types, and what is printed: flags, progress, sentences, exit codes."""
