"""Gathers stored runs into cells: the runs of one network under one setting, with their numbers."""
