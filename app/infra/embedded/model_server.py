"""Serves a GGUF file as an OpenAI-compatible API; never imported, only run as a script.

Usage: model_server.py WEIGHTS PORT ALIAS, the API key in MODEL_API_KEY.
"""

import os
import signal
import sys

import xllamacpp

CONTEXT_TOKENS = 4096  # for all parallel answers together
PARALLEL = 2


def serve(weights: str, port: int, alias: str, key: str) -> None:
    """Load the weights and answer until told to stop."""
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {alias}
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = PARALLEL
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.api_keys = [key]
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = xllamacpp.Server(params)
    signal.sigwait(signals)
    del server
    os._exit(0)  # its threads hold nothing that needs an orderly end


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], os.environ["MODEL_API_KEY"])
