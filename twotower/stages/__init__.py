"""What the scripts of `stages/` run.

Each imports what it works with only once it shows that it does: torch and its like take seconds.
"""

from twotower.common.interrupts import quiet_start

quiet_start()
