"""The demonstration: its data, its services, and the whole of it over ASGI."""
