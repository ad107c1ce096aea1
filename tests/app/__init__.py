"""Tests of what stands between a node and its applications."""
