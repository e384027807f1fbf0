"""Channels by pattern and rpc methods by name: the protocol's error code, or 0 where it is allowed.

Without a session every rpc and every channel but a book's is 101; hidden things are 404.
"""

from tests.security.matrix.rows import Given, Row, Scene, everybody, only, own, sends, signed_in

SIGN_IN, REFUSED = 101, 103


async def a_book(scene: Scene) -> Given:
    return Given({"id": (await scene.world.book()).id})


async def a_person(scene: Scene) -> Given:
    return Given({"id": scene.owner.id})


async def a_conversation(scene: Scene) -> Given:
    return Given({"id": (await scene.world.question(scene.owner)).conversation_id})


async def a_finished_answer(scene: Scene) -> Given:
    return Given(json={"message_id": (await scene.world.question(scene.owner)).message_id})


async def a_broken_answer(scene: Scene) -> Given:
    asked = await scene.world.question(scene.owner, "interrupted")
    return Given(json={"message_id": asked.message_id})


TOPICS = {
    "book:{id}": Row(everybody(0), a_book),
    "user:{id}": Row(own(0, nobody=SIGN_IN), a_person),
    "chat:{id}": Row(own(0, nobody=SIGN_IN), a_conversation),
    "moderation:queue": Row(only("moderator", "admin", status=0, refused=REFUSED, nobody=SIGN_IN)),
}
RPCS = {
    "chat.send": Row(signed_in(0, nobody=SIGN_IN), sends(message="Why?")),
    "chat.stop": Row(own(0, nobody=SIGN_IN), a_finished_answer),
    "chat.retry": Row(own(0, nobody=SIGN_IN), a_broken_answer),
}
