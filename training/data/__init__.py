"""What training reads: files to examples, examples to batches."""
