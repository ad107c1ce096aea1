"""Tests of :mod:`edge.tls`."""
