"""What goes wrong with another house; the texts are for the log and hold no secret."""

from typing import Literal

Kind = Literal["away", "refused", "untrusted"]


class FederationFault(Exception):
    """`away`: no answer, or a failure of theirs; `refused`: they will not take what was brought;
    `untrusted`: what they said cannot be believed or understood."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: Kind = kind
        self.detail = detail
