"""Scenarios out of access logs."""
