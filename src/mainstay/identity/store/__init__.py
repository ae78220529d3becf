"""SQL of identity. The only writer of contacts: the database refuses any other."""
