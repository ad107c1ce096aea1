"""Tests of ``edge.traces``."""
