"""The integrations and rules of every new connection. Names in the CRM are data that admins can change."""

from __future__ import annotations

from dataclasses import dataclass, field

from connections.choices import DeletionMode, FieldRuleKind, IntegrationKind

_EXTERNAL_ID = "Vault_External_ID_vod__c"
_DELETED_IN_VAULT = "Deleted in Vault Clinical"
_STATUS_MAP = {"active__v": "Active", "inactive__v": "Inactive"}
_CHANNEL_MAP = {
    "in_person__v": "Face_to_face_vod",
    "video__v": "Video_vod",
    "phone__v": "Phone_vod",
    "chat_text__v": "Message_vod",
    "email__v": "Email_vod",
    "other__v": "Other_vod",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRuleDefault:
    """A field rule as delivered."""

    kind: FieldRuleKind
    target: str
    source: str = ""
    is_required: bool = False
    picklist_map: dict[str, str] = field(default_factory=dict)
    reference_object: str = ""
    reference_field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationDefault:
    """An integration with its rule as delivered."""

    kind: IntegrationKind
    rule_name: str  # from source to target, as the two systems call their records
    vault_object: str
    crm_object: str
    deletion_mode: DeletionMode
    field_rules: tuple[FieldRuleDefault, ...]
    vault_object_type: str = ""
    vault_filter_field: str = ""
    crm_external_id_field: str = ""
    crm_filter_field: str = ""
    deletion_field: str = ""
    deletion_value: str = ""


_COPY, _PICKLIST, _REFERENCE = FieldRuleKind.COPY, FieldRuleKind.PICKLIST, FieldRuleKind.REFERENCE

STUDY_OUTBOUND = IntegrationDefault(
    kind=IntegrationKind.STUDY_OUTBOUND,
    rule_name="Study → Clinical Study",
    vault_object="study__v",
    vault_filter_field="send_to_crm__v",
    crm_object="Clinical_Study_vod__c",
    crm_external_id_field=_EXTERNAL_ID,
    deletion_mode=DeletionMode.SET,
    deletion_field="Status_vod__c",
    deletion_value=_DELETED_IN_VAULT,
    field_rules=(
        FieldRuleDefault(kind=_COPY, source="name__v", target="Name", is_required=True),
        FieldRuleDefault(kind=_COPY, source="study_name__v", target="Study_Name_vod__c"),
        FieldRuleDefault(kind=_COPY, source="protocol_title__v", target="Protocol_Title_vod__c"),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="study_phase__v",
            target="Phase_vod__c",
            picklist_map={
                "phase_1__v": "Phase I",
                "phase_2__v": "Phase II",
                "phase_3__v": "Phase III",
                "phase_4__v": "Phase IV",
                "not_applicable__v": "Not applicable",
            },
        ),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="state__v",
            target="Lifecycle_State_vod__c",
            picklist_map={
                "planning_state__v": "Planning",
                "enrolling_state__v": "Enrolling",
                "active_state__v": "Active",
                "closed_state__v": "Closed",
            },
        ),
        FieldRuleDefault(
            kind=_PICKLIST, source="status__v", target="Status_vod__c", is_required=True, picklist_map=_STATUS_MAP
        ),
        FieldRuleDefault(kind=FieldRuleKind.RECORD_LINK, target="Link_vod__c"),
    ),
)

SITE_OUTBOUND = IntegrationDefault(
    kind=IntegrationKind.SITE_OUTBOUND,
    rule_name="Study Site → Clinical Site",
    vault_object="site__v",
    vault_filter_field="send_to_crm__v",
    crm_object="Clinical_Site_vod__c",
    crm_external_id_field=_EXTERNAL_ID,
    deletion_mode=DeletionMode.SET,
    deletion_field="Status_vod__c",
    deletion_value=_DELETED_IN_VAULT,
    field_rules=(
        FieldRuleDefault(kind=_COPY, source="name__v", target="Name", is_required=True),
        FieldRuleDefault(kind=_COPY, source="site_name__v", target="Site_Name_vod__c"),
        FieldRuleDefault(
            kind=_REFERENCE,
            source="study__v",
            target="Clinical_Study_vod__c",
            reference_object="Clinical_Study_vod__c",
            reference_field=_EXTERNAL_ID,
        ),
        FieldRuleDefault(
            kind=FieldRuleKind.FORMATTED_PERSON,
            source="principal_investigator__v",
            target="Principal_Investigator_vod__c",
        ),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="state__v",
            target="Lifecycle_State_vod__c",
            picklist_map={
                "candidate_state__v": "Candidate",
                "selected_state__v": "Selected",
                "initiating_state__v": "Initiating",
                "active_state__v": "Active",
                "closed_state__v": "Closed",
            },
        ),
        FieldRuleDefault(
            kind=_PICKLIST, source="status__v", target="Status_vod__c", is_required=True, picklist_map=_STATUS_MAP
        ),
        FieldRuleDefault(kind=FieldRuleKind.RECORD_LINK, target="Link_vod__c"),
    ),
)

CALL_OUTBOUND = IntegrationDefault(
    kind=IntegrationKind.CALL_OUTBOUND,
    rule_name="Clinical Activity → Vault Clinical Interaction",
    vault_object="crm_activity__v",
    vault_object_type="clinical_activity__v",
    crm_object="Vault_Clinical_Interaction_vod__c",
    crm_external_id_field=_EXTERNAL_ID,
    deletion_mode=DeletionMode.APPEND,
    deletion_field="Subject_vod__c",
    deletion_value="Deleted",
    field_rules=(
        FieldRuleDefault(
            kind=FieldRuleKind.PERSON_ACCOUNT,
            source="person__v",
            target="Account_vod__c",
            is_required=True,
            reference_object="Account",
        ),
        FieldRuleDefault(kind=_COPY, source="date__v", target="Interaction_Date_vod__c", is_required=True),
        FieldRuleDefault(
            kind=_PICKLIST, source="channel__v", target="Channel_vod__c", is_required=True, picklist_map=_CHANNEL_MAP
        ),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="complete__v",
            target="Status_vod__c",
            is_required=True,
            picklist_map={"true": "Submitted_vod", "*": "Planned_vod"},
        ),
        FieldRuleDefault(kind=_COPY, source="from__v", target="From_vod__c"),
        FieldRuleDefault(kind=_COPY, source="subject__v", target="Subject_vod__c"),
        FieldRuleDefault(
            kind=_REFERENCE,
            source="study__v",
            target="Clinical_Study_vod__c",
            reference_object="Clinical_Study_vod__c",
            reference_field=_EXTERNAL_ID,
        ),
        FieldRuleDefault(
            kind=_REFERENCE,
            source="site__v",
            target="Clinical_Site_vod__c",
            reference_object="Clinical_Site_vod__c",
            reference_field=_EXTERNAL_ID,
        ),
    ),
)

CALL_INBOUND = IntegrationDefault(
    kind=IntegrationKind.CALL_INBOUND,
    rule_name="Call → Medical Activity",
    vault_object="crm_activity__v",
    vault_object_type="medical_activity__v",
    crm_object="Call2_vod__c",
    crm_filter_field="Send_to_Vault_Clinical_vod__c",
    deletion_mode=DeletionMode.INACTIVATE,
    field_rules=(
        FieldRuleDefault(
            kind=FieldRuleKind.PERSON_ACCOUNT,
            source="Account_vod__c",
            target="person__v",
            is_required=True,
            reference_object="Account",
        ),
        FieldRuleDefault(kind=_COPY, source="Call_Date_vod__c", target="date__v", is_required=True),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="Call_Channel_vod__c",
            target="channel__v",
            is_required=True,
            picklist_map={there: here for here, there in _CHANNEL_MAP.items()},
        ),
        FieldRuleDefault(
            kind=_PICKLIST,
            source="Status_vod__c",
            target="complete__v",
            is_required=True,
            picklist_map={"Submitted_vod": "true", "*": "false"},
        ),
        FieldRuleDefault(kind=FieldRuleKind.FORMATTED_PERSON, source="CreatedBy", target="from__v"),
    ),
)

INTEGRATION_DEFAULTS = (CALL_INBOUND, CALL_OUTBOUND, STUDY_OUTBOUND, SITE_OUTBOUND)


def list_delivered(integration_kind: str) -> tuple[FieldRuleDefault, ...]:
    """Return the field rules that an integration of this kind is delivered with, in their order."""
    return next(each.field_rules for each in INTEGRATION_DEFAULTS if each.kind == integration_kind)


def is_delivered(*, integration_kind: str, target: str) -> bool:
    """Whether every new connection has a field rule that fills this field."""
    return any(rule.target == target for rule in list_delivered(integration_kind))
