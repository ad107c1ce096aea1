"""Tests of ``edge.node.exporter``."""
