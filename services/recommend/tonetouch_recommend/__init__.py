"""Recommend: learns taste, answers similarity and search, and owns the vector indexes."""
