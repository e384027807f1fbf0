"""Named SQL of the catalogue: books and counters, categories and groups, chapters and passages."""
