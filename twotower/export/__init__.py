"""`twotower export`: the vectors of a model, for databases and libraries that search them."""
