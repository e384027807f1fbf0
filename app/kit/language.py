"""The languages that pages and mails are written in."""

from typing import Literal, get_args

Language = Literal["en", "id"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def preferred(accept_language: str) -> Language:
    """The first of ours in an Accept-Language header (RFC 9110, 12.5.4), else English.

    Weights are not read: browsers send their list in the order of preference.
    """
    for part in accept_language.split(","):
        primary = part.partition(";")[0].strip().partition("-")[0].lower()
        for language in LANGUAGES:
            if primary == language:
                return language
    return "en"
