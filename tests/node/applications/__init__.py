"""The way of a request to an application."""
