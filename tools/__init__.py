"""What `make` calls with the machine's own Python, before there is an environment: standard library only."""
