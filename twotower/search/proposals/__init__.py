"""What a trial tries and when it stops early: functions of earlier trials alone."""
