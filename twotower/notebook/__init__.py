"""The whole pipeline in Python, from data frames to a recommender: `twotower.fit`."""
