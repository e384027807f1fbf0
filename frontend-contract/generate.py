"""Writes the contract anew from the code: documents, error table, and what is made of them.

`make contract` runs it; a test runs it into another folder and compares.
"""

import argparse
import asyncio
import shutil
import subprocess
from pathlib import Path

from app.contract import documents
from app.http.docs import Documents
from app.main import create_app
from app.settings import Settings

HERE = Path(__file__).parent
GENERATORS = HERE / "generators"
NOWHERE = "http://localhost:1"
NO_SERVERS = {
    "DATABASE_URL": "postgresql://nobody@localhost:1/none",
    "REDIS_URL": "redis://localhost:1",
    "S3_ENDPOINT_URL": NOWHERE,
    "S3_ACCESS_KEY_ID": "none",
    "S3_SECRET_ACCESS_KEY": "none",
    "OPENAI_BASE_URL": NOWHERE,
    "OPENAI_API_KEY": "none",
    "OPENAI_MODEL": "none",
    "SICERDAS_SECRET": "only the shape of the app is asked for",
}
"""The documents are made of the app's shape: nothing is connected to."""


def main() -> None:
    """Write every file into the folder that is named, by default the one of this program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    folder: Path = parser.parse_args().folder
    write_documents(asyncio.run(current_documents()), folder)
    run("types.js", folder.resolve())
    (folder / "docs").mkdir(exist_ok=True)
    run("asyncapi.js", folder / "asyncapi.json", folder / "docs" / "asyncapi-parsed.json")


async def current_documents() -> Documents:
    """The documents of the code as it stands."""
    return documents(create_app(Settings.from_env(NO_SERVERS)))


def write_documents(files: Documents, folder: Path) -> None:
    """The three JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files.__struct_fields__:
        (folder / f"{name}.json").write_bytes(getattr(files, name))


def run(program: str, *arguments: Path) -> None:
    """Make something of the JSON files: the client's types, or what the pages at /api/docs show."""
    node = shutil.which("node")
    if node is None or not (GENERATORS / "node_modules").exists():
        raise SystemExit(f"no node, or no packages: make contract, or npm ci in {GENERATORS}")
    subprocess.run([node, GENERATORS / program, *arguments], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
