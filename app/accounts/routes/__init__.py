"""REST of accounts, one module for each part of the room."""

from app.accounts.routes import doors, impersonation, keys, own_sessions, people

routes = [*doors.routes, *own_sessions.routes, *keys.routes, *people.routes, *impersonation.routes]
