"""sicerdas: a learning library whose every screen is alive."""

__version__ = "0.1.0"
