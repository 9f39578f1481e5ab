"""The contracts between the services, one module per noun. Public bodies reuse them."""
