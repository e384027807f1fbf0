"""What goes in and out of media, and the errors of this room."""

from enum import IntEnum

from msgspec import Struct

from app.kit.errors import Unprocessable


class CoverWidth(IntEnum):
    """The widths in which every cover is kept, in pixels."""

    SMALL = 160
    MEDIUM = 320
    LARGE = 480


class Cover(Struct, frozen=True):
    """Addresses of one cover; they carry a hash of the picture, so they never change meaning."""

    small: str
    medium: str
    large: str

    @classmethod
    def of(cls, cover_hash: str) -> "Cover":
        """The addresses of a stored cover."""
        return cls(*(f"/media/covers/{cover_hash}-{width}.webp" for width in CoverWidth))


class CoverRefused(Unprocessable):
    """The upload is not a picture that we take; the detail says why."""

    code = "cover-refused"
    title = "This picture cannot be used as a cover"
