"""Heidi documents become Cliniko draft treatment notes, once each.

The promise: every finished document of a session in scope ends as exactly one draft note on the right patient,
or waits visibly for a person. Never two notes, never a silent loss, and no patient's words in our ledger or logs.
"""

__version__ = "0.1.0"
