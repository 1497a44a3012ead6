"""The fourteen studies of the demonstration. Sponsor, compounds and trials are invented."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.clinical.choices import SiteState, StudyPhase, StudyState

SPONSOR = "Halvorsen Therapeutics"
# Registered by mistake and removed by `plant_later_changes`: nothing depends on it.
WITHDRAWN_STUDY_NUMBER = "HVT507-202"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A study. `starts_in` is in days from the day of the load, `lasts` in days; `countries` are ISO codes."""

    number: str
    name: str
    title: str
    phase: StudyPhase
    state: StudyState
    starts_in: int
    lasts: int
    countries: str


SITE_STATES: dict[StudyState, tuple[SiteState, ...]] = {
    StudyState.PLANNING: (SiteState.CANDIDATE, SiteState.SELECTED),
    StudyState.ENROLLING: (SiteState.SELECTED, SiteState.INITIATING, SiteState.ACTIVE, SiteState.ACTIVE),
    StudyState.ACTIVE: (SiteState.ACTIVE,),
    StudyState.CLOSED: (SiteState.CLOSED,),
}

TRIALS: tuple[Trial, ...] = (
    Trial(
        number="HVT062-301",
        name="MIGRA",
        title="A Randomised, Double-blind, Placebo-controlled Study of HVT062 in the Prevention of Chronic Migraine",
        phase=StudyPhase.PHASE_3,
        state=StudyState.CLOSED,
        starts_in=-1240,
        lasts=1010,
        countries="US CA GB DE FR IT ES DK",
    ),
    Trial(
        number="HVT118-301",
        name="BREATHE-1",
        title="Efficacy and Safety of Inhaled HVT118 in Adults and Adolescents with Severe Eosinophilic Asthma",
        phase=StudyPhase.PHASE_3,
        state=StudyState.ACTIVE,
        starts_in=-820,
        lasts=1150,
        countries="US BR AR CL PL CZ HU RO BG UA",
    ),
    Trial(
        number="HVT118-302",
        name="BREATHE-2",
        title="HVT118 as Add-on Maintenance Treatment in Chronic Obstructive Pulmonary Disease with Exacerbations",
        phase=StudyPhase.PHASE_3,
        state=StudyState.ENROLLING,
        starts_in=-310,
        lasts=980,
        countries="US MX CO PE GB NL TR IN AU NZ",
    ),
    Trial(
        number="HVT214-301",
        name="LUMINA-1",
        title="A 52-week Comparison of HVT214 with Ustekinumab in Moderate to Severe Plaque Psoriasis",
        phase=StudyPhase.PHASE_3,
        state=StudyState.ACTIVE,
        starts_in=-690,
        lasts=940,
        countries="US CA DE AT CH FR PL SE",
    ),
    Trial(
        number="HVT214-302",
        name="LUMINA-2",
        title="HVT214 in Adults with Plaque Psoriasis and Inadequate Response to an Interleukin-17 Inhibitor",
        phase=StudyPhase.PHASE_3,
        state=StudyState.ENROLLING,
        starts_in=-260,
        lasts=870,
        countries="GB IE ES PT IT GR BE NL",
    ),
    Trial(
        number="HVT214-401",
        name="LUMINA-REAL",
        title="A Prospective Observational Study of HVT214 in Routine Dermatological Practice",
        phase=StudyPhase.PHASE_4,
        state=StudyState.ACTIVE,
        starts_in=-420,
        lasts=1460,
        countries="DE FR GB DK SE NO FI",
    ),
    Trial(
        number="HVT330-201",
        name="CORVIA",
        title="Dose-ranging Study of HVT330 in Heart Failure with Preserved Ejection Fraction",
        phase=StudyPhase.PHASE_2,
        state=StudyState.ENROLLING,
        starts_in=-350,
        lasts=760,
        countries="US DE ES IL JP KR TW",
    ),
    Trial(
        number="HVT330-301",
        name="CORVIA-HF",
        title="HVT330 versus Placebo on Cardiovascular Death and Hospitalisation in Chronic Heart Failure (CORVIA-HF)",
        phase=StudyPhase.PHASE_3,
        state=StudyState.PLANNING,
        starts_in=75,
        lasts=1620,
        countries="US CA BR GB FR DE PL ZA JP AU",
    ),
    Trial(
        number="HVT441-202",
        name="ONYX",
        title="HVT441 with Dexamethasone in Relapsed or Refractory Multiple Myeloma after Three Lines of Therapy",
        phase=StudyPhase.PHASE_2,
        state=StudyState.ACTIVE,
        starts_in=-560,
        lasts=900,
        countries="US FR IT ES NO CZ GR KR",
    ),
    Trial(
        number="HVT441-301",
        name="ONYX-3",
        title="A Randomised Open-label Study of HVT441 versus Standard Regimens in First-relapse Multiple Myeloma",
        phase=StudyPhase.PHASE_3,
        state=StudyState.ENROLLING,
        starts_in=-190,
        lasts=1310,
        countries="US DE AT CH FI HU TR IL JP TH",
    ),
    Trial(
        number="HVT507-101",
        name="NEPHRA-FIRST",
        title="Single and Multiple Ascending Doses of HVT507 in Healthy Volunteers and Patients with Mild Proteinuria",
        phase=StudyPhase.PHASE_1,
        state=StudyState.CLOSED,
        starts_in=-900,
        lasts=420,
        countries="NL BE NZ",
    ),
    Trial(
        number="HVT507-201",
        name="NEPHRA",
        title="HVT507 in Adults with Primary Immunoglobulin A Nephropathy at Risk of Progression",
        phase=StudyPhase.PHASE_2,
        state=StudyState.ENROLLING,
        starts_in=-230,
        lasts=840,
        countries="US KR TW IN TH IT PT",
    ),
    Trial(
        number=WITHDRAWN_STUDY_NUMBER,
        name="NEPHRA-TEEN",
        title="HVT507 in Adolescents with Immunoglobulin A Nephropathy (entered twice; to be withdrawn)",
        phase=StudyPhase.PHASE_2,
        state=StudyState.PLANNING,
        starts_in=210,
        lasts=700,
        countries="",
    ),
    Trial(
        number="HVT712-201",
        name="ALBA",
        title="Safety and Biomarker Response of HVT712 in Early Alzheimer's Disease with Confirmed Amyloid Pathology",
        phase=StudyPhase.PHASE_2,
        state=StudyState.ENROLLING,
        starts_in=-280,
        lasts=1080,
        countries="US CA GB SE FI CH AU RO",
    ),
)
