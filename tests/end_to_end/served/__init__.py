"""Applications that servers of their own serve, behind a node: gunicorn and uvicorn import them."""
