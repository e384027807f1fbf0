"""Named SQL of accounts: people, and their sessions."""
