"""From a request to the list of the runs that it means."""
