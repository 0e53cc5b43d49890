"""The MLflow adapter; no other package imports MLflow."""
