# The pages. Their build needs Node.js; the image that runs does not.
FROM node:24-bookworm-slim AS pages
WORKDIR /src/frontend-contract/reference-app
COPY frontend-contract/reference-app/package.json frontend-contract/reference-app/package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY frontend-contract /src/frontend-contract
RUN npm run build
WORKDIR /src/frontend-contract/docs
RUN npm ci --no-audit --no-fund --ignore-scripts && npm run build

# The Python environment, from locked wheels only.
FROM python:3.13-slim-bookworm AS environment
COPY requirements.lock /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes \
        -r /requirements.lock

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin sicerdas
WORKDIR /srv
COPY --from=environment /venv /venv
COPY piccolo_conf.py ./
COPY migrations migrations
COPY realtime realtime
COPY app app
COPY frontend-contract frontend-contract
COPY --from=pages /src/frontend-contract/reference-app/dist frontend-contract/reference-app/dist
COPY --from=pages /src/frontend-contract/docs/dist frontend-contract/docs/dist
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SICERDAS_LOG_FORMAT=json
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
