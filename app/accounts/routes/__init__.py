"""REST of accounts, one module for each part of the room."""

from app.accounts.routes import (
    doors,
    factors,
    federated,
    impersonation,
    keys,
    mailed,
    own_sessions,
    passkeys,
    people,
    privacy,
    second_step,
)

routes = [
    *doors.routes,
    *second_step.routes,
    *factors.routes,
    *federated.routes,
    *passkeys.routes,
    *mailed.routes,
    *own_sessions.routes,
    *keys.routes,
    *privacy.routes,
    *people.routes,
    *impersonation.routes,
]
