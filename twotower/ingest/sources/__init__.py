"""Raw data of every format behind one interface.

A new format is one file here and one row of `FORMATS` in twotower/config/raw_files.py.
"""
