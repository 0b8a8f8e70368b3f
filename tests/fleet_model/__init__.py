"""A site of several nodes in one event loop of virtual time: real leases, duties and placing over an index that fails as networks do."""
