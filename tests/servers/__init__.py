"""Real servers and browsers for the tests, and proxies that inject faults in front of them."""
