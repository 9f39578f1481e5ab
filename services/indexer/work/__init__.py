"""The worker's side: plan a file, encode a part. It writes no index and keeps no state."""
