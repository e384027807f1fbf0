"""The library that comes with the product: real books, course books of our own, demo accounts."""
