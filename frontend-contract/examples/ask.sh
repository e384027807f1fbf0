#!/bin/sh
# Sign in, ask the tutor, and see the answer grow: sh ask.sh http://localhost:8000 "Why do cells need energy?"
set -eu
address=$1
question=$2
login='{"email":"learner@example.org","password":"sicerdas-demo","transport":"bearer"}'
token=$(curl -fsS "$address/api/v1/auth/login" -H 'Content-Type: application/json' -d "$login" |
    sed 's/.*"token":"\([^"]*\)".*/\1/')
curl -fsSN "$address/api/v1/chat" \
    -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' \
    -H 'Accept: text/event-stream' \
    -H "Idempotency-Key: $(date +%s)-$$" \
    -d "{\"message\":\"$question\"}"
