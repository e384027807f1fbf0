"""Books, their places and their text as piccolo tables; the constraints stand in migration 0003."""

from piccolo.columns import (
    JSONB,
    Array,
    BigInt,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    Serial,
    Text,
    Timestamptz,
)
from piccolo.table import Table


class TsVector(Column):
    """A generated column: PostgreSQL writes it, queries search it, nothing here reads it."""

    value_type = str


class Category(Table, tablename="categories"):
    """A broad topic. Its name is unique, whatever its case."""

    id = Serial(primary_key=True)
    name = Text()
    description = Text(null=True, default=None)
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Group(Table, tablename="groups"):
    """A part of one category; its books always stand in that category too."""

    id = Serial(primary_key=True)
    name = Text()
    category_id = ForeignKey(references=Category, null=False)
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Book(Table, tablename="books"):
    """A book. `slug` and `source_hash` belong to imported ones and make a re-import harmless."""

    id = Serial(primary_key=True)
    slug = Text(null=True, default=None, unique=True)
    title = Text()
    author = Text(null=True, default=None)
    category_id = ForeignKey(references=Category)
    group_id = ForeignKey(references=Group)
    description = Text(null=True, default=None)
    year = Integer(null=True, default=None)
    language = Text(null=True, default=None)
    subjects = Array(base_column=Text())
    extra = JSONB(default="{}")
    cover_hash = Text(null=True, default=None)
    file_key = Text(null=True, default=None)
    chapters_count = Integer(default=0)
    source_hash = Text(null=True, default=None)
    created_by = Integer(null=True, default=None)
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()
    title_key = Text()
    author_key = Text()
    search = TsVector()


class BookCounters(Table, tablename="book_counters"):
    """One row beside every book, made by a trigger; written only through `Catalog.count`."""

    book_id = Integer(primary_key=True)
    views = BigInt(default=0)
    downloads = BigInt(default=0)
    likes = BigInt(default=0)
    version = BigInt(default=0)


class Chapter(Table, tablename="chapters"):
    """A chapter as it was written, in Markdown."""

    id = Serial(primary_key=True)
    book_id = ForeignKey(references=Book, null=False)
    number = Integer()
    title = Text()
    source = Text()


class Passage(Table, tablename="passages"):
    """A block of a chapter that an answer may cite; its id is made of its words."""

    id = Text(primary_key=True)
    book_id = Integer()
    chapter = Integer()
    ordinal = Integer()
    kind = Text()
    text = Text()
    html = Text()
    context = Text()
    language = Text(null=True, default=None)
    is_citable = Boolean()
    search = TsVector()
