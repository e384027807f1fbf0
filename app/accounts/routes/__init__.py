"""REST of accounts, one module for each part of the room."""

from app.accounts.routes import doors, federated, keys, own_sessions, people

routes = [*doors.routes, *federated.routes, *own_sessions.routes, *people.routes, *keys.routes]
