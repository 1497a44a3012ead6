from django.db.models import TextChoices


class StudyPhase(TextChoices):
    PHASE_1 = "phase_1__v", "Phase I"
    PHASE_2 = "phase_2__v", "Phase II"
    PHASE_3 = "phase_3__v", "Phase III"
    PHASE_4 = "phase_4__v", "Phase IV"
    NOT_APPLICABLE = "not_applicable__v", "Not applicable"


class StudyState(TextChoices):
    PLANNING = "planning_state__v", "Planning"
    ENROLLING = "enrolling_state__v", "Enrolling"
    ACTIVE = "active_state__v", "Active"
    CLOSED = "closed_state__v", "Closed"


class SiteState(TextChoices):
    CANDIDATE = "candidate_state__v", "Candidate"
    SELECTED = "selected_state__v", "Selected"
    INITIATING = "initiating_state__v", "Initiating"
    ACTIVE = "active_state__v", "Active"
    CLOSED = "closed_state__v", "Closed"


class PersonType(TextChoices):
    PERSON = "person__v", "Person"
    INVESTIGATOR = "investigator__v", "Investigator"


class TeamRole(TextChoices):
    PRINCIPAL_INVESTIGATOR = "principal_investigator__v", "Principal investigator"
    SUB_INVESTIGATOR = "sub_investigator__v", "Sub-investigator"
    STUDY_COORDINATOR = "study_coordinator__v", "Study coordinator"
    PHARMACIST = "pharmacist__v", "Pharmacist"
    CRA = "cra__v", "Clinical research associate"
    STUDY_MANAGER = "study_manager__v", "Study manager"
    OTHER = "other__v", "Other"


class MonitoringEventType(TextChoices):
    PRE_STUDY_VISIT = "pre_study_visit__v", "Pre-Study Visit"
    SITE_INITIATION_VISIT = "site_initiation_visit__v", "Site Initiation Visit"
    INTERIM_MONITORING_VISIT = "interim_monitoring_visit__v", "Interim Monitoring Visit"
    CLOSE_OUT_VISIT = "close_out_visit__v", "Close Out Visit"


class MonitoringEventState(TextChoices):
    EXPECTED = "expected_state__v", "Expected"
    CONFIRMED = "confirmed_state__v", "Confirmed"
    IN_PROGRESS = "in_progress_state__v", "In Progress"
    READY_FOR_REVIEW = "ready_for_review_state__v", "Ready for Review"
    FINAL = "final_state__v", "Final"
    CANCELLED = "cancelled_state__v", "Cancelled"


class VisitMethod(TextChoices):
    ON_SITE = "on_site__v", "On-site"
    REMOTE_VIDEO = "remote_video__v", "Remote: video"
    REMOTE_PHONE = "remote_phone__v", "Remote: phone"


class CommunicationType(TextChoices):
    EMAIL = "email__v", "Email"
    PHONE_CALL = "phone_call__v", "Phone Call"
    VIDEO_CALL = "video_call__v", "Video Call"
    IN_PERSON_MEETING = "in_person_meeting__v", "In-person Meeting"
    MESSAGE = "message__v", "Message"
    OTHER = "other__v", "Other"


class Direction(TextChoices):
    INBOUND = "inbound__v", "Inbound"
    OUTBOUND = "outbound__v", "Outbound"


class AssignmentRole(TextChoices):
    CRA = "cra__v", "CRA"
    STUDY_MANAGER = "study_manager__v", "Study Manager"
    DATA_MANAGER = "data_manager__v", "Data Manager"
    MEDICAL_MONITOR = "medical_monitor__v", "Medical Monitor"
    OTHER = "other__v", "Other"
