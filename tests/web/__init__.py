"""The tests of the web page, which share a browser that ends with the last of them."""
