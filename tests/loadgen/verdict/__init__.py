"""The verdict of a run: each piece of it, then 40 faulty targets."""
