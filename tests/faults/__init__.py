"""Proofs under faults: each module has a short form in the suite and a long one, `python -m tests.faults.NAME`."""
