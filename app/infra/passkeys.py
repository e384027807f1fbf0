"""Passkeys (WebAuthn level 3): the options for a browser, and whether an answer is genuine."""

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    options_to_json_dict,
    parse_client_data_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

CHALLENGE_BYTES = 32
"""Twice the 16 that WebAuthn, 13.4.3 asks for."""
HANDLE_BYTES = 64
"""The length that WebAuthn, 14.6.1 recommends for a random user handle."""
TIMEOUT_MS = 300_000
MAX_ID_BYTES = 1023
"""WebAuthn, 4: the longest credential id."""
MAX_KEY_BYTES = 4096
RP_NAME = "sicerdas"
TRANSPORTS = {transport.value for transport in AuthenticatorTransport}
UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What the library and its parsers raise on an answer that no authenticator made."""


class NotGenuine(Exception):
    """The answer is malformed, from another page, or not signed with the right key."""


class RelyingParty(Struct, frozen=True):
    """We, as an authenticator knows us: a domain, and the pages that may ask in its name."""

    id: str
    origins: tuple[str, ...]


class KnownPasskey(Struct, frozen=True):
    """A passkey that a browser may or shall not offer."""

    credential_id: bytes
    transports: tuple[str, ...]


class NewPasskey(Struct, frozen=True):
    """What registration has shown."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_synced: bool


class Assertion(Struct, frozen=True):
    """An answer before it is checked: which passkey, and what it claims to answer."""

    credential_id: bytes
    challenge: bytes
    user_handle: bytes | None


def new_challenge() -> bytes:
    """What only this ceremony is asked to sign."""
    return secrets.token_bytes(CHALLENGE_BYTES)


def new_handle() -> bytes:
    """What authenticators call a person: random, so that it tells nothing."""
    return secrets.token_bytes(HANDLE_BYTES)


def creation_options(
    party: RelyingParty,
    challenge: bytes,
    person: tuple[bytes, str, str],
    known: Iterable[KnownPasskey],
) -> dict[str, Any]:
    """For `navigator.credentials.create`; `person` is handle, address and name.

    User verification is demanded: such a passkey stands for both factors.
    """
    handle, email, name = person
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=RP_NAME,
        user_id=handle,
        user_name=email,
        user_display_name=name or email,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return options_to_json_dict(options)


def request_options(
    party: RelyingParty, challenge: bytes, known: Iterable[KnownPasskey]
) -> dict[str, Any]:
    """For `navigator.credentials.get`; with none known the person picks one (discoverable)."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_of(credential: Mapping[str, Any]) -> bytes:
    """What an answer claims to answer. Raises NotGenuine."""
    try:
        data = base64url_to_bytes(credential["response"]["clientDataJSON"])
        return parse_client_data_json(data).challenge
    except UNREADABLE as fault:
        raise NotGenuine from fault


def read_assertion(credential: Mapping[str, Any]) -> Assertion:
    """Which passkey answers. Raises NotGenuine."""
    challenge = challenge_of(credential)
    try:
        credential_id = base64url_to_bytes(credential["rawId"])
        handle = credential["response"].get("userHandle")
        return Assertion(credential_id, challenge, base64url_to_bytes(handle) if handle else None)
    except UNREADABLE as fault:
        raise NotGenuine from fault


def check_registration(
    party: RelyingParty, credential: dict[str, Any], challenge: bytes
) -> NewPasskey:
    """The passkey that the browser made. Raises NotGenuine."""
    try:
        shown = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except UNREADABLE as fault:
        raise NotGenuine from fault
    if len(shown.credential_id) > MAX_ID_BYTES or len(shown.credential_public_key) > MAX_KEY_BYTES:
        raise NotGenuine
    return NewPasskey(
        credential_id=shown.credential_id,
        public_key=shown.credential_public_key,
        sign_count=shown.sign_count,
        transports=_transports(credential["response"].get("transports")),
        is_synced=shown.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
    )


def check_assertion(
    party: RelyingParty,
    credential: dict[str, Any],
    challenge: bytes,
    key: tuple[bytes, int],
) -> int:
    """The new signature counter; `key` is the public key with the last one.

    A counter that did not grow betrays a copy (WebAuthn, 6.1.1). Raises NotGenuine.
    """
    public_key, sign_count = key
    try:
        shown = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except UNREADABLE as fault:
        raise NotGenuine from fault
    return shown.new_sign_count


def _descriptors(known: Iterable[KnownPasskey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(name) for name in one.transports],
        )
        for one in known
    ]


def _transports(named: object) -> tuple[str, ...]:
    """Those that we know of what the browser says; it is a hint and nothing else."""
    words: Collection[object] = named if isinstance(named, list) else ()
    return tuple(sorted({word for word in words if isinstance(word, str)} & TRANSPORTS))
