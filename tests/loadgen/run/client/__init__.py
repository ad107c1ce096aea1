"""Tests of a user's smart client.

There are users who choose (``choosers.py``), a sender on a wire that the test answers for (``stage.py``), and
the smart client's own choice of a node beside ours (``history.js``).
"""
