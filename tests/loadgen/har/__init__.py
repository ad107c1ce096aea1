"""HAR files as page weights."""
