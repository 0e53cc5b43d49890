"""The journal: a sweep's trials on local disk until the store has them."""
