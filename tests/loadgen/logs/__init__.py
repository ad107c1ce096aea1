"""Access logs, read."""
