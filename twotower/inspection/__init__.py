"""`twotower inspect`: looks at a folder of exports and proposes the `data` section for it."""
