"""The worker, which plans inputs and encodes parts. It does not write the index and keeps no
state."""
