"""The errors of the catalogue."""

from app.kit.errors import Conflict, InvalidInput, NotFound, Unprocessable

MAX_EXTRA_BYTES = 16 * 1024


class BookNotFound(NotFound):
    """No such book."""

    code = "book-not-found"
    title = "There is no such book"


class ChapterNotFound(NotFound):
    """The book has no such chapter."""

    code = "chapter-not-found"
    title = "This book has no such chapter"


class TextNotFound(NotFound):
    """The library knows of the book but does not have its text."""

    code = "text-not-found"
    title = "The library does not have the text of this book"


class PassageNotFound(NotFound):
    """No such passage."""

    code = "passage-not-found"
    title = "There is no such passage"


class CategoryNotFound(NotFound):
    """No such category."""

    code = "category-not-found"
    title = "There is no such category"


class GroupNotFound(NotFound):
    """No such group."""

    code = "group-not-found"
    title = "There is no such group"


class NameTaken(Conflict):
    """Another category, or another group of the same category, has this name."""

    code = "name-taken"
    title = "This name is taken"


class CategoryInUse(Conflict):
    """Groups or books still stand in the category."""

    code = "category-in-use"
    title = "Groups or books still stand in this category"


class GroupInUse(Conflict):
    """Books still stand in the group."""

    code = "group-in-use"
    title = "Books still stand in this group"


class UnknownPlace(Unprocessable):
    """A book or group names a category or group that does not exist."""

    code = "unknown-place"
    title = "There is no such category or group"


class GroupInOtherCategory(Unprocessable):
    """The group belongs to another category than the one given."""

    code = "group-in-other-category"
    title = "This group belongs to another category"


class ExtraTooLarge(InvalidInput):
    """`extra` is bounded, so that a list of books stays small."""

    code = "extra-too-large"
    title = f"`extra` may take at most {MAX_EXTRA_BYTES} bytes as JSON"
