"""Raw files of every format behind one interface; a new format is one file here."""
