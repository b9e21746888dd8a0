"""How long a run will take, learned from the runs that were made here."""
