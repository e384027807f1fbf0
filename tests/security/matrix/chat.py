"""The tutor: everybody's conversations are their own, whatever their role."""

from tests.security.matrix.rows import Arrange, Given, Row, Scene, everybody, own, signed_in

STREAM = {"accept": "text/event-stream"}


async def ask(scene: Scene) -> Given:
    return Given(json={"message": scene.world.name("Question")}, headers=STREAM)


async def a_conversation(scene: Scene) -> Given:
    asked = await scene.world.question(scene.owner)
    return Given({"conversation_id": asked.conversation_id})


async def a_title(scene: Scene) -> Given:
    asked = await scene.world.question(scene.owner)
    return Given({"conversation_id": asked.conversation_id}, json={"title": "Another"})


def a_message(status: str) -> Arrange:
    async def arrange(scene: Scene) -> Given:
        asked = await scene.world.question(scene.owner, status)
        return Given({"message_id": asked.message_id})

    return arrange


ROWS = {
    "getInfo": Row(everybody(200)),
    "askTutor": Row(signed_in(200), ask),
    "listConversations": Row(signed_in(200)),
    "getConversation": Row(own(200), a_conversation),
    "renameConversation": Row(own(200), a_title),
    "deleteConversation": Row(own(204), a_conversation),
    "getMessage": Row(own(200), a_message("completed")),
    "followAnswer": Row(own(200), a_message("completed")),
    "stopAnswer": Row(own(200), a_message("completed")),
    "retryAnswer": Row(own(202), a_message("interrupted")),
}
