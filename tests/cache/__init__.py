"""What is in :mod:`edge.cache`."""
