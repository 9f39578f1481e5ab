"""Routes for clients of other services: embeddings as OpenAI's, reranking as Jina's and Cohere's.

A client may send minutes of work in one call, while a model must answer within seconds. So the work
is done in portions, one after the other, and ends when the client closes the connection.
"""
