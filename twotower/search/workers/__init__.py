"""Where trials run: in this process, in local processes, on other machines."""
