"""Proofs with real processes: the worker as it is started in a practice, killed, stopped, crowded and cut off.

Each proof starts `python -m sync_worker ...` against the two stand-ins on loopback, does something cruel to it, and
then counts the notes that the Cliniko stand-in holds: one for each document, none twice, none lost, and nothing that
waits for a hand. `python -m tests.processes --help` lists them; `test_processes.py` holds their short forms.
"""
