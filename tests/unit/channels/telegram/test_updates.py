import pytest

from channels.telegram.updates import normalise
from contracts.ids import derived_id
from contracts.inbound import MessageReceived, Reachability
from contracts.registry import Channel
from support.dialogue import Dialogue, document

CHANNEL = Channel(id="c1", project_id="p1", bot_id="b1", type="telegram", name="tg", url="https://t.me/LectureBot")
ANN = {"id": 42, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "ann", "language_code": "en"}
PRIVATE = {"id": 42, "type": "private", "first_name": "Ann"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Course"}
AT = "2026-11-21T00:00:00.000Z"


def message(chat=PRIVATE, sender=ANN, **content):
    return {"update_id": 7, "message": {"message_id": 9, "date": 1, "from": sender, "chat": chat, **content}}


def one(update):
    made = normalise(update, CHANNEL, AT)
    assert len(made) == 1
    return made[0][1]


def test_a_text_becomes_a_message_whose_id_follows_from_the_update():
    ((event_id, record),) = normalise(message(text="hello"), CHANNEL, AT)
    assert event_id == derived_id("telegram", "c1", 7)
    assert isinstance(record, MessageReceived)
    assert (record.bot_id, record.channel_id, record.peer_id) == ("b1", "c1", "42")
    assert (record.type, record.text, record.payload, record.chat) == ("text", "hello", None, "private")
    assert record.profile.model_dump(exclude_none=True) == {
        "name": "Ann Lee", "first_name": "Ann", "last_name": "Lee", "username": "ann", "language": "en",
    }  # fmt: skip
    assert record.provider["text"] == "hello"


def test_a_deep_link_keeps_its_text_and_has_its_payload_beside_it():
    record = one(message(text="/start order-7", entities=[{"type": "bot_command", "offset": 0, "length": 6}]))
    assert (record.text, record.payload) == ("/start order-7", "order-7")


@pytest.mark.parametrize(
    ("text", "length", "seen"),
    [
        ("/book@lecturebot now", 16, "/book now"),
        ("/book now", 5, "/book now"),
    ],
)
def test_a_groups_command_loses_our_own_address_only(text, length, seen):
    update = message(chat=GROUP, text=text, entities=[{"type": "bot_command", "offset": 0, "length": length}])
    assert one(update).text == seen


def test_a_command_to_another_bot_is_not_ours():
    for text, length in (("/start@otherbot", 15), ("/book@other_bot now", 15)):
        update = message(chat=GROUP, text=text, entities=[{"type": "bot_command", "offset": 0, "length": length}])
        assert normalise(update, CHANNEL, AT) == ()


def test_an_administrator_who_writes_as_the_group_is_heard_and_another_bot_is_not():
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    record = one(message(chat=GROUP, sender=anonymous, sender_chat=GROUP, text="hi"))
    assert (record.peer_id, record.text) == ("-1001", "hi")
    assert normalise(message(chat=GROUP, sender=anonymous, text="hi"), CHANNEL, AT) == ()


def test_a_group_is_the_contact_and_the_member_stays_in_the_providers_message():
    record = one(message(chat=GROUP, text="hi"))
    assert (record.peer_id, record.chat, record.chat_title) == ("-1001", "group", "Course")
    assert record.profile.model_dump(exclude_none=True) == {"name": "Course"}
    assert record.provider["from"]["username"] == "ann"


def test_of_a_photo_the_largest_size_is_taken():
    sizes = [{"file_id": "s", "width": 90, "height": 90}, {"file_id": "l", "width": 800, "height": 600, "file_size": 5}]
    record = one(message(photo=sizes, caption="look"))
    assert (record.type, record.text) == ("media", "look")
    assert record.attachments == ({"type": "photo", "file_id": "l", "size": 5},)


def test_an_animation_is_not_told_twice():
    record = one(message(animation={"file_id": "a", "mime_type": "video/mp4"}, document={"file_id": "a"}))
    assert record.attachments == ({"type": "animation", "file_id": "a", "mime": "video/mp4"},)


@pytest.mark.parametrize(("user_id", "verified", "phone"), [(42, True, "+100"), (43, False, None), (None, False, None)])
def test_only_the_senders_own_contact_gives_a_phone(user_id, verified, phone):
    contact = {"phone_number": "+100", "first_name": "Ann"} | ({"user_id": user_id} if user_id else {})
    record = one(message(contact=contact))
    assert record.type == "contact"
    assert record.attachments[0]["verified"] is verified
    assert (record.profile.phone, record.verified) == (phone, ("phone",) if phone else ())


def test_a_location():
    record = one(message(location={"latitude": 1.5, "longitude": 2.5}))
    assert (record.type, record.attachments[0]["latitude"]) == ("location", 1.5)
    venue = {"title": "Shop", "address": "Street 1"}
    record = one(message(location={"latitude": 1.5, "longitude": 2.5}, venue=venue))
    assert record.attachments == (
        {"type": "location", "latitude": 1.5, "longitude": 2.5, "name": "Shop", "address": "Street 1"},
    )


def tap(**more):
    keyboard = {
        "inline_keyboard": [[{"text": "Pay", "callback_data": "k1"}], [{"text": "Later", "callback_data": "k2"}]]
    }
    sent = {"message_id": 5, "chat": PRIVATE, "text": "Seats left: 3", "reply_markup": keyboard}
    return {"update_id": 8, "callback_query": {"id": "cb", "from": ANN, "message": sent, "data": "k2"} | more}


def test_a_tap_is_a_choice_with_its_title_payload_and_the_message_it_was_on():
    record = one(tap())
    assert (record.type, record.text, record.payload) == ("choice", "Later", "k2")
    assert (record.callback_id, record.message_id, record.peer_id) == ("cb", "5", "42")


def test_a_tap_on_a_message_that_telegram_no_longer_shows_comes_from_the_person():
    record = one(tap(message=None))
    assert (record.peer_id, record.text, record.payload) == ("42", None, "k2")


def test_a_forums_topic_is_kept_and_the_thread_of_a_reply_is_not():
    topic = {"message_thread_id": 77, "is_topic_message": True}
    assert one(message(chat=GROUP, text="hello", **topic)).thread == "77"
    assert one(message(chat=GROUP, text="hello", message_thread_id=77)).thread is None
    assert one(tap(message={"message_id": 5, "chat": GROUP, **topic})).thread == "77"


def membership(chat, **member):
    return {"update_id": 9, "my_chat_member": {"chat": chat, "from": ANN, "new_chat_member": member}}


@pytest.mark.parametrize(
    ("chat", "member", "state"),
    [
        (PRIVATE, {"status": "kicked"}, "blocked"),
        (PRIVATE, {"status": "member"}, "subscribed"),
        (GROUP, {"status": "member"}, "subscribed"),
        (GROUP, {"status": "administrator"}, "subscribed"),
        (GROUP, {"status": "left"}, "not_in_chat"),
        (GROUP, {"status": "kicked"}, "not_in_chat"),
        (GROUP, {"status": "restricted", "is_member": True, "can_send_messages": False}, "not_in_chat"),
        (GROUP, {"status": "restricted", "is_member": True, "can_send_messages": True}, "subscribed"),
    ],
)
def test_membership_tells_whether_the_bot_may_write(chat, member, state):
    record = one(membership(chat, **member))
    assert isinstance(record, Reachability)
    assert (record.state, record.reason) == (state, member["status"])
    assert record.chat == ("private" if chat is PRIVATE else "group")


def test_a_group_that_moved_is_left_and_met_again():
    old, new = normalise(message(chat=GROUP | {"type": "group"}, migrate_to_chat_id=-2002), CHANNEL, AT)
    assert (old[1].peer_id, old[1].state, new[1].peer_id, new[1].state) == (
        "-1001",
        "not_in_chat",
        "-2002",
        "subscribed",
    )
    assert old[0] != new[0]


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1, "edited_message": {"text": "x"}},
        {"update_id": 1, "channel_post": {"text": "x"}},
        {"update_id": 1, "poll": {}},
        message(new_chat_members=[ANN]),
        message(text="beep", sender=ANN | {"is_bot": True}),
    ],
)
def test_what_concerns_no_conversation_makes_nothing(update):
    assert normalise(update, CHANNEL, AT) == ()


@pytest.mark.parametrize("update", [{}, {"update_id": "x"}, {"update_id": 1, "message": {"text": "x"}}])
def test_what_telegram_never_sends_raises(update):
    with pytest.raises((KeyError, ValueError, TypeError)):
        normalise(update, CHANNEL, AT)


@pytest.mark.parametrize(
    ("input", "sent", "kept"),
    [
        ("file", {"photo": [{"file_id": "F1", "width": 9, "height": 9}], "caption": "Door"},
         {"type": "image", "file_id": "F1", "caption": "Door"}),
        ("file", {"document": {"file_id": "F2", "file_name": "a.pdf", "mime_type": "application/pdf", "file_size": 7}},
         {"type": "file", "file_id": "F2", "name": "a.pdf", "mime": "application/pdf", "size": 7}),
        ("file", {"voice": {"file_id": "F3", "duration": 3}}, {"type": "audio", "file_id": "F3", "duration": 3}),
        ("location", {"location": {"latitude": 1.5, "longitude": 2.5}}, {"latitude": 1.5, "longitude": 2.5}),
        ("phone", {"contact": {"phone_number": "4930901820", "first_name": "Ann", "user_id": 42}}, "+4930901820"),
        ("contact", {"contact": {"phone_number": "4930901820", "first_name": "Ann", "user_id": 42}},
         {"phone": "+4930901820", "first_name": "Ann", "verified": True}),
        ("contact", {"contact": {"phone_number": "4930901820", "first_name": "Bob", "user_id": 43}},
         {"phone": "+4930901820", "first_name": "Bob", "verified": False}),
    ],
)  # fmt: skip
def test_what_a_person_sends_answers_a_question(input, sent, kept):
    record = one(message(**sent))
    asked = {"type": "ask", "text": "?", "input": {"type": input, "save_to": "memory.answer"}, "ports": {"ok": "wait"}}
    talk = Dialogue(document({"ask": asked, "wait": {"type": "delay", "for": "PT1M"}}))
    talk.say("/go")
    talk.say(record.text, type=record.type, attachments=list(record.attachments))
    assert talk.memory["answer"] == kept
