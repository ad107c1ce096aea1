"""Tests of edge.access: passwords, networks, rates."""
