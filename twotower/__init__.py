"""A reproducible two-tower recommender: prepare, search, refit, visualise."""
