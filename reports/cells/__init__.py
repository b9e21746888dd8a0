"""From the stored runs to cells: the runs of one network under one setting, with their numbers."""
