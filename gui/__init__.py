"""The only room where Qt is imported; the window lands with a later change."""
