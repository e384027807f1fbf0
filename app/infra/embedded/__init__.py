"""Local PostgreSQL, Valkey, SeaweedFS and model server, and the supervisor that keeps them up."""
