"""The journal: a file on local disk that holds a sweep's ended trials until the store has them."""
