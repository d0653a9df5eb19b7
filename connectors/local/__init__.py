"""The local backend: the connectors API on an encrypted SQLite vault of your own."""
