"""What tests of the transfer do to the records of the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.factories.clinical import PersonFactory

if TYPE_CHECKING:
    from tests.crm_sync.world import World


def test_people_and_administrators_of_the_crm_change_its_records(world: World) -> None:
    master, loser = world.add_accounts(PersonFactory.create_batch(2))
    first, second, third = world.add_calls([loser, loser, loser])

    def read_call(crm_id: str) -> dict[str, object] | None:
        rows = world.crm.organisation.list_records(object_name="Call2_vod__c", include_deleted=True)
        return next((row for row in rows if row["Id"] == crm_id), None)

    world.merge_accounts(master, loser, NPI_vod__c="12")
    call = read_call(first)
    assert call is not None
    assert call["Account_vod__c"] == master
    assert [row["NPI_vod__c"] for row in world.crm.organisation.list_records(object_name="Account")] == ["12"]
    world.delete_in_crm("Call2_vod__c", first)
    world.undelete_in_crm(first)
    call = read_call(first)
    assert call is not None
    assert call["IsDeleted"] is False
    world.purge_in_crm(first)
    world.delete_in_crm("Call2_vod__c", second)
    world.purge_in_crm(second)
    assert (read_call(first), read_call(second)) == (None, None)
    world.hide_in_crm(third)
    world.show_in_crm(third)
    world.change_in_crm("Call2_vod__c", third, Status_vod__c="Saved_vod")
    world.delete_in_crm("Call2_vod__c", third)
    world.empty_recycle_bin()
    world.empty_deletion_log()
    assert read_call(third) is None
    world.misbehave(settings={"latency_ms": 1})
    assert world.crm.misbehaviour.latency_ms == 1
