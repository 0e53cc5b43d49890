"""The FastAPI application (to come)."""
