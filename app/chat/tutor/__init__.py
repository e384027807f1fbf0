"""The answering half of the tutor: pure prompt and citation rules, and the worker's leased jobs."""
