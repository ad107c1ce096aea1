"""Least privilege: what a worker gives up before the first byte of a stranger reaches it.

* ``kernel.py``: the system calls that Python does not have
* ``identity.py``: another user, no groups, no capabilities, no new privileges
* ``landlock.py``: the files that a process may still read and write (Landlock)
* ``system_calls.py``: the system calls that a process may still make (seccomp, by libseccomp)
* ``confine.py``: all of them, in the order in which they work, and which of them came about
* ``in_force.py``: what the kernel says is in force for a process

Each step only takes away, and none can be taken back.  Sans Twisted; only for a process of one thread, since
Landlock and capabilities are a thread's, and threads that it starts later inherit them.
"""
