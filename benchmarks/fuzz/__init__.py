"""Bad input of every kind, damaged or hostile: run with python -m benchmarks.fuzz."""

import os

# Arrow's own allocator sets a gigabyte aside, which the limit of a case would count as used.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
