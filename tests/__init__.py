"""The tests of the project; the folders mirror the tree.  Hypothesis runs without deadlines."""

from hypothesis import HealthCheck, settings

# On a loaded machine an example takes as long as it takes: how slow one is says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
