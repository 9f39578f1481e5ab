"""From an uploaded file to clean parts: formats, validation, duplicates."""
