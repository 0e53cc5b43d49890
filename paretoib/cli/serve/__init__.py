"""`paretoib serve`: MLflow, Ray and the service on this machine."""
