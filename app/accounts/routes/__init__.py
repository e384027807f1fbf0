"""REST of accounts, one module for each part of the room."""

from app.accounts.routes import doors, keys, mailed, own_sessions, people

routes = [
    *doors.routes,
    *mailed.routes,
    *own_sessions.routes,
    *keys.routes,
    *people.routes,
]
