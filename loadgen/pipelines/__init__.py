"""A result for those who build and test by machine.

* ``junit.py``: JUnit XML, which every such system reads; ``markdown.py``: a page for people;
* ``cases.py``: what both say of a result: what was to hold, and whether it did.

All are pure functions of a result.
"""
