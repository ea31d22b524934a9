"""What every ConversationStore does with contacts that turn out to be one: on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flow_engine.errors import StaleContact
from flow_engine.state.work import Work
from flow_engine.store.port import Name
from flowlang.model import PatchContact
from support.conversation_store_suite import (
    BOT,
    THEN,
    Kept,
    contact_id,
    conversation,
    key_of,
    verifying,
    with_contact,
    work_of,
)


class MergingSuite:
    """Beside ConversationStoreSuite, with its `kept`."""

    async def test_who_is_told_to_be_somebody_else_is_merged_and_nothing_is_lost(self, kept: Kept) -> None:
        anna, guest, again = contact_id("anna"), contact_id("guest"), contact_id("again")
        used, newer = conversation("1", contact=anna), conversation("2", contact=guest)
        used.last_user_at, newer.last_user_at = THEN, THEN + timedelta(hours=1)
        known = with_contact("anna", used, profile={"name": "Anna", "city": "Riga"})
        await kept.save(verifying(known, anna, external_id="crm-7"))
        await kept.save(with_contact("guest", newer, profile={"name": "A.", "email": "a@example.com"}))
        await kept.save(verifying(Work(), guest, phone="+49170"))
        told = verifying(Work(), guest, external_id="crm-7")
        told.patch(guest, PatchContact({"profile.city": "Tartu", "variables.points": 9}, add_tags=("vip",)))
        told.patch(anna, PatchContact({"variables.age": 30}, add_tags=("loyal",)))
        await kept.save(told)
        whole = await kept.contact(key_of("1"))
        assert (whole.id, whole.profile) == (anna, {"name": "Anna", "city": "Tartu", "email": "a@example.com"})
        assert (whole.variables, sorted(whole.tags)) == ({"points": 9, "age": 30}, ["loyal", "new", "vip"])
        assert await kept.contact(key_of("2")) == whole
        names = [Name(BOT, "external_id", "crm-7"), Name(BOT, "phone", "+49170"), Name(BOT, "contact_id", guest)]
        assert await kept.named(*names) == {name: [key_of("2"), key_of("1")] for name in names}
        late = Work()
        late.patch(guest, PatchContact({"profile.city": "lost"}))
        with pytest.raises(StaleContact):
            await kept.save(late)
        loaded = (await kept.load(key_of("2"))).loaded
        assert loaded is not None
        assert loaded.conversation.contact_id == anna
        # Who has an external id is not somebody else for being told another one: that is a correction.
        await kept.save(verifying(with_contact("again", profile={}), again, external_id="crm-8"))
        assert await kept.named(Name(BOT, "external_id", "crm-8")) == {Name(BOT, "external_id", "crm-8"): []}
        await kept.save(verifying(Work(), anna, external_id="crm-8"))
        assert await kept.named(*names[:1], Name(BOT, "external_id", "crm-8")) == {
            Name(BOT, "external_id", "crm-8"): [key_of("2"), key_of("1")]
        }

    async def test_merged_contacts_are_merged_again(self, kept: Kept) -> None:
        first, second, third = contact_id("first"), contact_id("second"), contact_id("third")
        await kept.save(with_contact("first", conversation("1", contact=first), profile={"name": "F"}))
        await kept.save(verifying(with_contact("second", profile={}), second, phone="+49170"))
        await kept.save(verifying(with_contact("third", profile={}), third, external_id="crm-7"))
        both = verifying(verifying(Work(), second, external_id="crm-7"), first, external_id="crm-7")
        both.patch(first, PatchContact({"variables.a": 1}))
        both.patch(second, PatchContact({"variables.b": 2}))
        await kept.save(both)
        found = await kept.contact(key_of("1"))
        assert (found.id, found.profile, found.variables) == (third, {"name": "F"}, {"points": 1, "a": 1, "b": 2})
        names = [Name(BOT, "phone", "+49170"), Name(BOT, "external_id", "crm-7"), Name(BOT, "contact_id", second)]
        assert await kept.named(*names) == {name: [key_of("1")] for name in names}
        async with kept.store.reading() as reads:
            assert await reads.holders([*names[:2], Name(BOT, "email", "nobody")]) == dict.fromkeys(names[:2], found)

    async def test_who_was_merged_follows_whom_he_was_merged_into(self, kept: Kept) -> None:
        names = ("first", "second", "third", "fourth")
        first, second, third, fourth = map(contact_id, names)
        for place, name in enumerate(names):
            of = conversation(str(place), contact=contact_id(name))
            await kept.save(with_contact(name, of, profile={}))
        await kept.save(verifying(verifying(Work(), second, external_id="crm-2"), fourth, external_id="crm-4"))
        await kept.save(verifying(Work(), first, external_id="crm-2"))
        await kept.save(verifying(Work(), third, external_id="crm-3"))
        await kept.save(verifying(Work(), third, external_id="crm-2"))  # A correction: the second has none now.
        await kept.save(verifying(Work(), second, external_id="crm-4"))
        for place in (0, 1, 3):
            assert (await kept.contact(key_of(str(place)))).id == fourth
        assert (await kept.contact(key_of("2"))).id == third

    async def test_a_change_for_a_version_that_is_gone_keeps_nothing(self, kept: Kept) -> None:
        anna = contact_id("anna")
        await kept.save(with_contact("anna", conversation("1", contact=anna), profile={"name": "Anna"}))
        for name, version in (("Ann", 1), ("Annie", 2)):
            work = Work(if_versions={anna: version})
            work.patch(anna, PatchContact({"profile.name": name}))
            await kept.save(work)
            async with kept.store.reading() as reads:
                found = (await reads.contacts([(BOT, anna)]))[anna]
            assert (found.contact.profile["name"], found.version) == (name, version + 1)
        late = work_of(conversation("2"))
        late.if_versions[anna] = 2
        late.patch(anna, PatchContact({"profile.name": "lost"}))
        with pytest.raises(StaleContact):
            await kept.save(late)
        assert (await kept.contact(key_of("1"))).profile["name"] == "Annie"
        async with kept.store.reading() as reads:
            assert await reads.contacts([("bot-2", anna), (BOT, contact_id("nobody"))]) == {}
