"""The product's main story through plain `websockets`, as a program and as a test."""
