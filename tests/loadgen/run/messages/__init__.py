"""Tests of what coordinator and processes tell each other."""
