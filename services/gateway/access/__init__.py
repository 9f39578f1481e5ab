"""What a request passes before a route sees it: who calls, what they may, how much they send."""
