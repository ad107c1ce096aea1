"""Hostile bytes for everything that reads what other nodes, or applications, send: ``make fuzz``.

* ``targets.py``: what is fuzzed; each target takes any bytes and must not raise
* ``__main__.py``: runs them with atheris (libFuzzer), each in a process of its own
* ``test_targets.py``: the same with Hypothesis, a little, in ``make test``
"""
