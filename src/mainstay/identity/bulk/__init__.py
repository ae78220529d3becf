"""Many lines about many people at once, with the same outcome as if each had been written by itself."""

from mainstay.identity.bulk.chunk import MAX_RECORDS, Chunk, Line, Origin, prepare, write_of
from mainstay.identity.bulk.store import ChunkOutcome, write_chunk

__all__ = ["MAX_RECORDS", "Chunk", "ChunkOutcome", "Line", "Origin", "prepare", "write_chunk", "write_of"]
