"""The window: docks in napari, each a thin view of a session."""
