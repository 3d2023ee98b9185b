"""Bad input of every kind, damaged or hostile: run with python -m benchmarks.fuzz."""
