"""The night and run folders: append-only files that are the truth."""
