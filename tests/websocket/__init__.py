"""Conformance of our WebSocket (RFC 6455): what a strict client sends, and what it has to get."""
