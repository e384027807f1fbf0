"""What mail opens: everybody may ask, and whoever has the link is the owner of the mailbox."""

import secrets
from datetime import timedelta

from app.accounts.queries import mail_tokens
from app.accounts.schemas import Purpose
from app.kit.clock import now
from app.kit.secret import token_hash
from tests.security.matrix.rows import Arrange, Given, Row, Scene, everybody, signed_in

PASSWORD = "another-horse-battery"


async def an_address(scene: Scene) -> Given:
    return Given(json={"email": scene.owner.principal.email})


async def a_new_address(scene: Scene) -> Given:
    return Given(json={"email": f"{scene.world.name('moved').replace(' ', '')}@example.org"})


def a_link(purpose: Purpose, **body: str) -> Arrange:
    """A link of the owner's, as it would come by mail."""

    async def arrange(scene: Scene) -> Given:
        token, ends = secrets.token_urlsafe(), now() + timedelta(hours=1)
        owner = scene.owner.principal
        await mail_tokens.replace_token(
            scene.world.db, token_hash(token), purpose, owner.user_id, owner.email, ends
        )
        return Given(json={"token": token, **body})

    return arrange


async def no_mail(_scene: Scene) -> Given:
    return Given({"mail_id": "absent"})


ROWS = {
    "sendVerification": Row(everybody(202), an_address),
    "sendPasswordReset": Row(everybody(202), an_address),
    "sendSignInLink": Row(everybody(202), an_address),
    "verifyEmail": Row(everybody(200), a_link(Purpose.VERIFY)),
    "resetPassword": Row(everybody(204), a_link(Purpose.RESET, password=PASSWORD)),
    "signInByMail": Row(everybody(200), a_link(Purpose.SIGN_IN)),
    "changeEmail": Row(signed_in(202), a_new_address),
    "GET /dev/mail": Row(everybody(200)),
    "GET /dev/mail.css": Row(everybody(200)),
    "GET /dev/mail.json": Row(everybody(200)),
    "GET /dev/mail/{mail_id}": Row(everybody(404), no_mail),
}
