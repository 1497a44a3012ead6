from __future__ import annotations

import pytest

from exceptions_log.causes import strip_values


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("No account has the NPI_vod__c 'P-1', it's missing.", "No account has the NPI_vod__c …, it's missing."),
        ("The value \"it's\" of Anna's record does not fit.", "The value … of Anna's record does not fit."),
        ("NA does not show the call a0X000000000001AAA any more.", "NA does not show the call … any more."),
        ("Nothing of 6f3f35c0-6b9b-4d55-9c9f-0a2f8a3f6a11 after 12 tries.", "Nothing of … after … tries."),
        ("“channel__v → Channel_vod__c” is Inactive.", "“channel__v → Channel_vod__c” is Inactive."),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST in X", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST in X"),
    ],
)
def test_the_values_of_a_record_are_left_out_and_the_names_of_fields_and_rules_stay(message: str, cause: str) -> None:
    assert strip_values(message) == cause
