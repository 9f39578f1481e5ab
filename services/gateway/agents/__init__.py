"""The tools of the Model Context Protocol over HTTP, for agents."""
