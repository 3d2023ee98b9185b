"""Models in MLflow's registry: packaged, registered, compared, promoted."""
