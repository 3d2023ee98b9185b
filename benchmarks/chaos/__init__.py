"""Attacks on runs of the pipeline: processes killed, disks full, files damaged, servers gone."""
