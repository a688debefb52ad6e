"""Proof: a worker that runs for long stays as it was: no memory, thread or file handle is lost on the way.

The worker's real process files documents from both stand-ins on loopback, a request in a hundred goes wrong, and people
look at its page now and then. It is measured from outside: what the kernel says of the process, and when Cliniko's
stand-in stored each note. `python -m tests.soak --help` has both forms.
"""
