"""What became of a clinic's documents, as counted in the Cliniko stand-in, and what of it is promised."""

from collections import Counter
from dataclasses import dataclass

from tests.processes.proof import Proof

BY_DESIGN = frozenset({"twice_in_doubt"})
"""A document that lost both of its attempts waits for a person, by design."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the documents."""

    documents: int
    notes: int
    posts: int
    duplicates: int
    lost: int
    misfiled: int
    imagined: int
    """Entries that are `posted` although Cliniko has no such note."""
    stuck: int
    held: Counter[str]
    abandoned: int
    """Attempts whose worker died between claim and settle."""

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(*(getattr(self, name) + getattr(other, name) for name in Verdict.__slots__))

    def add_to(self, proof: Proof) -> None:
        """One right note for each document that nobody holds, and nothing left under way: that is promised."""
        held = self.held.total()
        proof.add("documents", self.documents)
        proof.add("notes", self.notes)
        proof.add("requests_to_create_a_note", self.posts)
        proof.add("died_between_claim_and_settle", self.abandoned)
        for name in ("duplicates", "lost", "misfiled", "imagined", "stuck"):
            proof.add(name, getattr(self, name), must_be=0)
        proof.add("held_for_a_person", held)
        proof.add("held_without_need", held - sum(self.held[reason] for reason in BY_DESIGN), must_be=0)
