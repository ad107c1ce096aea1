"""Tests of :mod:`edge.node.certificates`."""
