"""The tests of the project; the folders mirror the tree.

Hypothesis runs without deadlines, and with the same examples each time, so that a change is judged by itself
and not by luck; with TEST_RANDOM=1 in the environment it looks for new ones.
"""

import os

from hypothesis import HealthCheck, settings

# On a loaded machine an example takes as long as it takes: how slow one is says nothing about the code.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not os.environ.get("TEST_RANDOM"),
)
settings.load_profile("untimed")
