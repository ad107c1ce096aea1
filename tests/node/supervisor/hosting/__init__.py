"""Tests of applications as the supervisor sees them."""
