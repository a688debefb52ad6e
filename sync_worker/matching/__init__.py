"""Which chart is the patient of a session? Pure: rules with vetoes, and the evidence for every chart looked at."""

from sync_worker.matching.evidence import IDENTITY, Evidence, check_patient, is_alike, usable_birth_date
from sync_worker.matching.names import family_name_part, family_name_parts
from sync_worker.matching.rules import match_patient

__all__ = [
    "IDENTITY",
    "Evidence",
    "check_patient",
    "family_name_part",
    "family_name_parts",
    "is_alike",
    "match_patient",
    "usable_birth_date",
]
