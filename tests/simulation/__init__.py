"""The simulator, and the protocol in it."""
