"""Mail addresses: which new ones are refused, because they are made to look like another.

Addresses are compared in NFC and lower case. Case folding lets some letters fall together (a Kelvin
sign becomes a `k`), so a mail goes to the stored address only, never to one that was typed: two
texts that compare alike are one account with one mailbox. Letters that only look alike stay apart;
a new address that mixes scripts to look like another (UTS 39, 5.2) is refused.

A domain has two spellings, in letters and in ASCII (RFC 5890), and programs do not agree on which
letters fall together in it (`ß` was `ss` to IDNA 2003 and is a letter to IDNA 2008). So that one
mailbox is one account, a new address is taken in the ASCII spelling alone, which browsers make by
themselves of what is typed.
"""

import unicodedata
from itertools import chain

JAPANESE_AND_KOREAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
"""Scripts that are written together."""
ATOM_SPECIALS = frozenset("!#$%&'*+-/=?^_`{|}~.")
"""RFC 5322, 3.2.3: what may stand in a local part without quotes, besides letters and digits."""


def is_deceptive(email: str) -> bool:
    """Whether a new address has a form that mail does not know, or letters of several scripts."""
    local, _, domain = email.rpartition("@")
    labels = [local, *domain.split(".")]
    signs = chain(
        (sign for sign in local if sign not in ATOM_SPECIALS),
        (sign for sign in domain if sign not in "-."),
    )
    if not all(_is_word(sign) for sign in signs):
        return True
    return any(len(_scripts(label)) > 1 for label in labels)


def has_plain_domain(email: str) -> bool:
    """Whether the domain of a new address stands in its only spelling."""
    return email.rpartition("@")[2].isascii()


def _is_word(sign: str) -> bool:
    """A letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(sign)[0] in "LMN"


def _scripts(label: str) -> set[str]:
    """The scripts of a label's letters; those that are written together count as one."""
    names = {
        unicodedata.name(sign, "UNKNOWN").partition(" ")[0] for sign in label if sign.isalpha()
    }
    return {"ASIAN" if name in JAPANESE_AND_KOREAN else name for name in names}
