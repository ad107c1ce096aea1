"""Applications asked over HTTP/1.1: the cores."""
