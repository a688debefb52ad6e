"""Which chart is the patient of a session? Pure: rules with vetoes, and the evidence for every chart looked at."""

from sync_worker.matching.rules import Evidence, check_patient, match_patient, usable_birth_date

__all__ = ["Evidence", "check_patient", "match_patient", "usable_birth_date"]
