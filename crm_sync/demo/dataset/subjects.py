"""Subjects and notes of the demonstration's activities."""

from __future__ import annotations

# `{subject}` is a trial subject's number, `{visit}` a visit's, `{number}` a small number.
SITE_SUBJECTS: tuple[str, ...] = (
    "SIV follow-up: pharmacy manual",
    "SIV follow-up: delegation log and signatures",
    "SIV follow-up: laboratory normal ranges and accreditation",
    "Screening status and enrolment forecast",
    "Screening failure, subject {subject}: reason and replacement",
    "Randomisation of subject {subject} confirmed",
    "Eligibility question, subject {subject}: exclusion criterion {number}",
    "SAE reconciliation, subject {subject}",
    "SAE follow-up report {number}, subject {subject}",
    "Query resolution before data cut-off",
    "Open queries older than 30 days: visit {visit}",
    "Source data verification: findings of visit {visit}",
    "Protocol deviation, subject {subject}: visit {visit} outside window",
    "Protocol amendment {number}: re-consent plan",
    "Protocol amendment {number}: training of sub-investigators",
    "Informed consent form version {number}.0: local wording",
    "Ethics committee approval of amendment {number}",
    "Site contract: payment schedule and overheads",
    "Invoice {number} for screening failures",
    "IMP shipment {number}: temperature excursion report",
    "IMP accountability and returns before visit {visit}",
    "Unblinded pharmacist: accountability log",
    "Central laboratory kits: re-supply before expiry",
    "Laboratory alert, subject {subject}: repeat sample requested",
    "Biomarker sample, subject {subject}: missing on arrival",
    "ECG device: calibration certificate",
    "ePRO devices: activation of spare handsets",
    "ePRO compliance, subject {subject}",
    "Imaging upload: read failed, subject {subject}",
    "Recruitment: referral letters to local practices",
    "Recruitment: patient newsletter and poster",
    "Holiday cover for the study coordinator",
    "New study coordinator: GCP certificate and system access",
    "CV, medical licence and financial disclosure forms",
    "Monitoring visit: confirmation letter and agenda",
    "Monitoring visit: follow-up letter, action item {number}",
    "Audit readiness: investigator site file section {number}",
    "Emergency unblinding procedure: phone test",
    "Close-out preparation: essential documents",
    "Archiving: agreement and storage period",
)

STUDY_SUBJECTS: tuple[str, ...] = (
    "Data monitoring committee: agenda of meeting {number}",
    "Steering committee: enrolment by region",
    "Coordinating investigator: comments on amendment {number}",
    "Publication plan: authorship and timelines",
    "Investigator meeting: venue and draft programme",
    "Dose escalation: safety summary {number}",
)

OTHER_SUBJECTS: tuple[str, ...] = (
    "Feasibility questionnaire: patient numbers",
    "Interest in future trials of the sponsor",
    "Congress: meeting at the sponsor's booth",
    "Confidentiality agreement signed",
)

NOTES: tuple[str, ...] = (
    "Agreed to answer by the end of the week.",
    "Needs the signed form back before the next shipment leaves the depot.",
    "Asked for the slides; sent the same day.",
    "Coordinator on leave until Monday, spoke with the sub-investigator instead.",
    "No further action.",
    "Escalated to the medical monitor.",
    "Site would like a second training date in the afternoon.",
    "Will be looked at again at the next monitoring visit.",
)

EDITED_SUBJECT = "Screening visit: slot for the next three subjects"
EDITED_SUBJECT_AFTERWARDS = "Screening visit: slots confirmed for three subjects"
DELETED_SUBJECT = "Site tour for the sponsor's visitors"
