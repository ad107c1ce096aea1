"""Tests of edge.convert."""
