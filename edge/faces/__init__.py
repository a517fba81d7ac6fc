"""From a frame to an embedding: detector, tracker, quality, liveness, alignment, embedder, model files."""
