"""External systems to topics: files, replay, synthetic data, the HTTP gateway."""
