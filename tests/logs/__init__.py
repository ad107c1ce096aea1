"""Tests of edge.logs: records, rings, lines."""
