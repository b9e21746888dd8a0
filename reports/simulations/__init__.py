"""How often an interval or a word errs, by simulations whose results are recorded."""
