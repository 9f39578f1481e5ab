"""Makes the model directory that the services load from a trained network."""
