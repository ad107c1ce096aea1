"""The documents: that they say what the code has, and that what they name exists."""
