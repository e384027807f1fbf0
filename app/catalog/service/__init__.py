"""The verbs of the catalogue: books and their text, shelves to put them on, imports."""

from app.catalog.service.catalog import Catalog
from app.catalog.service.imports import Imported, Imports
from app.catalog.service.shelves import Shelves

__all__ = ["Catalog", "Imported", "Imports", "Shelves"]
