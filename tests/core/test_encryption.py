from __future__ import annotations

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pytest_django import Settings

from ctms.core.encryption import create_key, decrypt, encrypt, get_key_id, get_primary_key_id, parse_key_ring
from ctms.core.errors import EncryptionKeyError

TOKEN_CHARACTERS = "ABCXYZabcxyz0189-_=.!\n é"


def encode_key(byte: bytes) -> str:
    return base64.b64encode(byte * 32).decode()


@given(plaintext=st.text(), context=st.text())
def test_what_is_encrypted_decrypts_in_its_own_place(plaintext: str, context: str) -> None:
    assert decrypt(token=encrypt(plaintext=plaintext, context=context), context=context) == plaintext


@given(plaintext=st.text(), context=st.text(), other=st.text())
def test_what_was_moved_elsewhere_does_not_decrypt(plaintext: str, context: str, other: str) -> None:
    assume(context != other)
    with pytest.raises(EncryptionKeyError, match="does not decrypt"):
        decrypt(token=encrypt(plaintext=plaintext, context=context), context=other)


@given(data=st.data())
def test_a_value_of_which_one_character_was_altered_does_not_decrypt(data: st.DataObject) -> None:
    token = encrypt(plaintext="secret", context="here")
    position = data.draw(st.integers(0, len(token) - 1))
    replacement = data.draw(st.sampled_from(["", *TOKEN_CHARACTERS]))
    altered = token[:position] + replacement + token[position + 1 :]
    assume(altered != token)
    with pytest.raises(EncryptionKeyError):
        decrypt(token=altered, context="here")


@given(addition=st.text(min_size=1))
def test_a_value_with_something_added_does_not_decrypt(addition: str) -> None:
    token = encrypt(plaintext="secret", context="here")
    for altered in (token + addition, addition + token):
        with pytest.raises(EncryptionKeyError):
            decrypt(token=altered, context="here")


@given(token=st.text())
def test_what_is_no_encrypted_value_is_refused_as_such(token: str) -> None:
    with pytest.raises(EncryptionKeyError, match="is not a value that the Vault wrote"):
        decrypt(token=token, context="here")


def test_the_same_text_is_encrypted_differently_each_time() -> None:
    tokens = {encrypt(plaintext="secret", context="here") for _ in range(20)}
    assert len(tokens) == 20


def test_new_values_take_the_first_key_and_old_ones_keep_theirs(settings: Settings) -> None:
    old, new = create_key(key_id="old"), create_key(key_id="new")
    settings.FIELD_ENCRYPTION_KEYS = [old]
    before = encrypt(plaintext="secret", context="here")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    after = encrypt(plaintext="secret", context="here")
    assert get_primary_key_id() == "new"
    assert [get_key_id(token=token, context="here") for token in (before, after)] == ["old", "new"]
    assert [decrypt(token=token, context="here") for token in (before, after)] == ["secret", "secret"]


def test_a_value_whose_key_is_missing_names_the_key(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="old")]
    token = encrypt(plaintext="secret", context="model.field.row")
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="new")]
    with pytest.raises(EncryptionKeyError) as raised:
        decrypt(token=token, context="model.field.row")
    assert str(raised.value) == (
        "The secret stored for model.field.row needs the key 'old'; add it to FIELD_ENCRYPTION_KEYS."
    )


def test_another_key_under_the_same_id_does_not_decrypt(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="main")]
    token = encrypt(plaintext="secret", context="here")
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="main")]
    with pytest.raises(EncryptionKeyError, match="does not decrypt with the key 'main': the key is another one"):
        decrypt(token=token, context="here")


@given(key_id=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_created_key_is_a_key_of_the_ring(key_id: str) -> None:
    assert list(parse_key_ring([create_key(key_id=key_id)])) == [key_id]


@pytest.mark.parametrize("key_id", ["", "a.b", "a:b", "a b", "ä", "a" * 65, "a\n"])
def test_a_key_is_not_created_with_an_id_that_a_value_could_not_name(key_id: str) -> None:
    with pytest.raises(EncryptionKeyError, match="is no id of a key"):
        create_key(key_id=key_id)


@pytest.mark.parametrize(
    "entry",
    ["", "main", "main:", "main:c2hvcnQ=", f":{encode_key(b'k')}", f"a.b:{encode_key(b'k')}", "main:" + "!" * 44],
)
def test_a_malformed_key_is_named_by_its_place(entry: str) -> None:
    with pytest.raises(EncryptionKeyError, match=r"^FIELD_ENCRYPTION_KEYS: entry 2 is not `id:base64` of 32 bytes\."):
        parse_key_ring([create_key(key_id="first"), entry])


def test_two_keys_of_one_id_are_refused_because_values_of_one_would_be_lost() -> None:
    with pytest.raises(EncryptionKeyError, match="entry 2 has the id 'main' of an earlier one"):
        parse_key_ring([create_key(key_id="main"), create_key(key_id="main")])


def test_an_empty_ring_is_refused(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []
    with pytest.raises(EncryptionKeyError, match="FIELD_ENCRYPTION_KEYS is empty"):
        encrypt(plaintext="secret", context="here")
