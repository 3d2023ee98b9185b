"""`twotower fetch`: tables of databases and URLs as files of `data.root`, with digests."""
