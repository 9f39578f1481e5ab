"""The routes for documents, collections and jobs, which are passed on to the indexer."""
