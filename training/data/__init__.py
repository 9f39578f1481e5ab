"""The data of training: files become examples, examples become batches."""
