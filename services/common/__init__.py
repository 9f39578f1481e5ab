"""The code that the services share. It imports no service, and nothing of training or the
client."""
