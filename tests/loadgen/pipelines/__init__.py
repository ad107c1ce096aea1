"""Results for pipelines."""
