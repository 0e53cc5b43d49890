"""The MLflow adapter. It is imported when a store is opened; no other package imports MLflow."""
