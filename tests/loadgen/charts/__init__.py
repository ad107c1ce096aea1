"""Charts: what is drawn is what was given, whatever that is."""
