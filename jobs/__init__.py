"""The job that runs a sweep on Ray, and what runs on Ray's workers."""
