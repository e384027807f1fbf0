"""Pictures: hostile uploads made harmless, and covers drawn for books that have none.

The only package that knows Pillow. Uploads are decoded in a child process with hard limits
(`_child.py`); nothing of an upload but its pixels is ever stored.
"""

from app.infra.images.uploads import ImageRefused, Limits, as_webp

__all__ = ["ImageRefused", "Limits", "as_webp"]
