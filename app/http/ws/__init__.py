"""Our own WebSocket server side: handshake, frames, and sockets that need no ASGI any more."""
