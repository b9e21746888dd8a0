"""`--compare`: two folders of runs beside each other."""
