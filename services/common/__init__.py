"""What the services share. Imports no service and nothing of the offline half."""
