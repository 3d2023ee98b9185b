"""Studies in MLflow, which is imported only where tracking is enabled."""
