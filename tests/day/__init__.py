"""Proof: a whole clinic day in which one thing after the other goes wrong, played on a clock of its own.

The real worker with the settings that a practice starts with, five clinicians, and 16 documents of each between seven
and seven. `tests/day/causes.py` says what goes wrong when. In the evening every document is one note on the right
chart, and each cause was told to people once when it began and once when it was over.
"""
