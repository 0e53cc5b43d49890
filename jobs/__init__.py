"""The job that runs a sweep on Ray, and the code that Ray's workers run."""
