//! Controllers: pure decisions over a snapshot, and the framework that carries them out.
