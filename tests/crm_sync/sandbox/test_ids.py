"""Record ids and their checksums."""

import pytest

from crm_sync.sandbox.data.ids import build_id, compute_checksum, encode_base62, normalise_id


@pytest.mark.parametrize(
    ("identifier", "checksum"),
    [("001D000000IqhSL", "IAZ"), ("00D000000000062", "EAA"), ("a00000000000000", "AAA"), ("0010a00001abCDE", "AA2")],
)
def test_the_checksum_tells_which_letters_are_upper_case(identifier: str, checksum: str) -> None:
    # The first two are ids of the vendor's own documentation.
    assert compute_checksum(identifier) == checksum


def test_both_forms_name_the_same_record() -> None:
    assert normalise_id("001D000000IqhSL") == "001D000000IqhSLIAZ"
    assert normalise_id("001D000000IqhSLIAZ") == "001D000000IqhSLIAZ"


@pytest.mark.parametrize(
    "value", ["", "001D000000IqhSLIAA", "001d000000iqhsliaz", "001D000000IqhS", "001D000000Iqh L", "001D000000IqhSLIA"]
)
def test_what_is_no_id_is_refused(value: str) -> None:
    assert normalise_id(value) is None


def test_numbers_become_ids_in_ascending_order() -> None:
    ids = [build_id(key_prefix="a00", pod="0Xy", number=number) for number in (1, 9, 10, 61, 62, 63)]
    assert ids == sorted(ids)
    assert ids[0][:15] == "a000Xy000000001"
    assert encode_base62(62, width=3) == "010"
