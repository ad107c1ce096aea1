"""Tests of ``loadgen run``."""
