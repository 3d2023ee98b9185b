"""What `benchmarks.quality` is made of: data sets, methods, the clock, tuning and the report."""
