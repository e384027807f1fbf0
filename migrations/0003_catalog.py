"""Books in categories and groups, their chapters and citable passages, and their counters."""

from app.infra.migrations import SqlMigration

ID = "0003"
VERSION = "1.38.0"
DESCRIPTION = "catalogue, chapters, passages and counters"

FORWARDS = """
-- array_to_string() is only STABLE: some element types depend on settings; text does not.
CREATE FUNCTION immutable_words(text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
AS $$ SELECT array_to_string($1, ' ') $$;

-- The stemmer of a language; every other language is searched by whole words.
CREATE FUNCTION words_of(language text, words text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE language
    WHEN 'en' THEN to_tsvector('pg_catalog.english', public.immutable_unaccent(coalesce(words, '')))
    WHEN 'id' THEN
        to_tsvector('pg_catalog.indonesian', public.immutable_unaccent(coalesce(words, '')))
    ELSE to_tsvector('pg_catalog.simple', public.immutable_unaccent(coalesce(words, '')))
END
$$;

CREATE TABLE categories (
    id serial PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    description text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX categories_name_key ON categories (lower(name));
CREATE INDEX categories_created_at ON categories (created_at, id);

CREATE TABLE groups (
    id serial PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    category_id integer NOT NULL CONSTRAINT groups_category_fkey REFERENCES categories (id),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT groups_id_category_key UNIQUE (id, category_id)
);
CREATE UNIQUE INDEX groups_category_name_key ON groups (category_id, lower(name));
CREATE INDEX groups_name ON groups (lower(name), id);
CREATE INDEX groups_created_at ON groups (created_at, id);

CREATE TABLE books (
    id serial PRIMARY KEY,
    slug text CONSTRAINT books_slug_key UNIQUE,
    title text NOT NULL CHECK (title <> ''),
    author text,
    category_id integer CONSTRAINT books_category_fkey REFERENCES categories (id),
    group_id integer,
    description text,
    year integer,
    language text CHECK (language ~ '^[a-z]{2,3}$'),
    subjects text[] NOT NULL DEFAULT '{}',
    extra jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(extra) = 'object'),
    cover_hash text,
    file_key text,
    chapters_count integer NOT NULL DEFAULT 0 CHECK (chapters_count >= 0),
    source_hash text,
    created_by integer REFERENCES users (id) ON DELETE SET NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    title_key text NOT NULL GENERATED ALWAYS AS (lower(immutable_unaccent(title))) STORED,
    author_key text NOT NULL
        GENERATED ALWAYS AS (lower(immutable_unaccent(coalesce(author, '')))) STORED,
    search tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('pg_catalog.simple', immutable_unaccent(title)), 'A')
        || setweight(words_of(language, title), 'A')
        || setweight(to_tsvector('pg_catalog.simple',
            immutable_unaccent(coalesce(author, ''))), 'B')
        || setweight(words_of(language, immutable_words(subjects)), 'C')
        || setweight(words_of('en', description), 'C')
        || setweight(to_tsvector('pg_catalog.simple',
            immutable_unaccent(coalesce(description, ''))), 'D')
    ) STORED,
    -- The group decides the category: a book can never stand in a group of another category.
    CONSTRAINT books_group_needs_category CHECK (group_id IS NULL OR category_id IS NOT NULL),
    CONSTRAINT books_group_fkey FOREIGN KEY (group_id, category_id)
        REFERENCES groups (id, category_id) ON UPDATE CASCADE
);
CREATE INDEX books_title ON books (title_key, id);
CREATE INDEX books_author ON books (author_key, id);
-- Books without a year come last in both directions.
CREATE INDEX books_year ON books (coalesce(year, 2147483647), id);
CREATE INDEX books_newest_year ON books (coalesce(year, -2147483648), id);
CREATE INDEX books_created_at ON books (created_at, id);
CREATE INDEX books_updated_at ON books (updated_at, id);
CREATE INDEX books_category ON books (category_id, id);
CREATE INDEX books_group ON books (group_id, id);
CREATE INDEX books_search ON books USING gin (search);
CREATE INDEX books_spelling ON books USING gin ((title_key || ' ' || author_key) gin_trgm_ops);

CREATE TABLE book_counters (
    book_id integer PRIMARY KEY REFERENCES books (id) ON DELETE CASCADE,
    views bigint NOT NULL DEFAULT 0 CHECK (views >= 0),
    downloads bigint NOT NULL DEFAULT 0 CHECK (downloads >= 0),
    likes bigint NOT NULL DEFAULT 0 CHECK (likes >= 0),
    version bigint NOT NULL DEFAULT 0 CHECK (version >= 0)
) WITH (fillfactor = 70);
CREATE INDEX book_counters_views ON book_counters (views, book_id);
CREATE INDEX book_counters_downloads ON book_counters (downloads, book_id);
CREATE INDEX book_counters_likes ON book_counters (likes, book_id);

CREATE FUNCTION books_start_counting() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO public.book_counters (book_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER books_start_counting AFTER INSERT ON books
FOR EACH ROW EXECUTE FUNCTION books_start_counting();

CREATE TABLE chapters (
    id serial PRIMARY KEY,
    book_id integer NOT NULL REFERENCES books (id) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    title text NOT NULL,
    source text NOT NULL,
    CONSTRAINT chapters_book_number_key UNIQUE (book_id, number)
);

CREATE TABLE passages (
    id text PRIMARY KEY,
    book_id integer NOT NULL,
    chapter integer NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal > 0),
    kind text NOT NULL CHECK (kind IN ('paragraph', 'heading', 'list', 'code', 'quote', 'table')),
    text text NOT NULL,
    html text NOT NULL,
    context text NOT NULL,
    language text,
    is_citable boolean NOT NULL,
    search tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(words_of(language, text), 'A') || setweight(words_of(language, context), 'D')
    ) STORED,
    CONSTRAINT passages_chapter_fkey FOREIGN KEY (book_id, chapter)
        REFERENCES chapters (book_id, number) ON DELETE CASCADE,
    CONSTRAINT passages_place_key UNIQUE (book_id, chapter, ordinal)
);
CREATE INDEX passages_search ON passages USING gin (search) WHERE is_citable;
CREATE INDEX passages_spelling ON passages USING gin (text gin_trgm_ops) WHERE is_citable;
"""

BACKWARDS = """
DROP TABLE passages;
DROP TABLE chapters;
DROP TABLE book_counters;
DROP TABLE books;
DROP FUNCTION books_start_counting();
DROP TABLE groups;
DROP TABLE categories;
DROP FUNCTION words_of(text, text);
DROP FUNCTION immutable_words(text[]);
"""


async def forwards() -> SqlMigration:
    """What the runner asks every migration for."""
    return SqlMigration(ID, DESCRIPTION, FORWARDS, BACKWARDS)
