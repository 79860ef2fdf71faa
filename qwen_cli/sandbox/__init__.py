"""A local stand-in for the API: no key, no network, no bill, and no model either."""
