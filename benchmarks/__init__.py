"""What is measured: run with python -m benchmarks.NAME."""
