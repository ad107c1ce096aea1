"""Tests of what a worker gives up."""
