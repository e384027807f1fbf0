"""What can go wrong in accounts; each code is part of the contract."""

from datetime import datetime

from app.kit.errors import Conflict, FieldError, Forbidden, InvalidInput, Unauthorized


class WrongCredentials(Unauthorized):
    """One answer for a wrong password, an unknown address and one that is still to be confirmed."""

    code = "wrong-credentials"
    title = "E-mail or password is wrong, or the address is not confirmed yet"


class WrongPassword(Forbidden):
    """Signed in, but the password that was asked for once more is not right."""

    code = "wrong-password"
    title = "The current password is wrong"


class PasswordTooCommon(InvalidInput):
    """Among the passwords that are guessed first, or the account's own name or address."""

    code = "password-too-common"
    title = "This password is easy to guess; take another"

    def __init__(self, field: str = "password") -> None:
        super().__init__(errors=[FieldError(field, self.title)])


class EmailTaken(Conflict):
    """An account with this address exists."""

    code = "email-taken"
    title = "An account with this address exists; sign in instead"


class EmailNotVerified(Forbidden):
    """A passkey or provider let them in, but the address has not been confirmed yet."""

    code = "email-not-verified"
    title = "Confirm your address first"


class AccountDeactivated(Forbidden):
    """The right password, but an admin has closed the account; `reason` and `until` say more."""

    code = "account-deactivated"
    title = "This account is closed"

    def __init__(self, reason: str | None = None, until: datetime | None = None) -> None:
        super().__init__(reason=reason or None, until=until)


class LastAdmin(Conflict):
    """The house would be left without an admin."""

    code = "last-admin"
    title = "The last active admin cannot step down"
