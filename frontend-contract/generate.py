"""Writes the contract anew from the code: documents, error table and the client's types.

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
    write_types(folder)


async def current_documents() -> Documents:
    """The documents of the code as it stands."""
    return documents(create_app(Settings.from_env(NO_SERVERS)))


def write_documents(files: Documents, folder: Path) -> None:
    """The three JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files.__struct_fields__:
        (folder / f"{name}.json").write_bytes(getattr(files, name))


def write_types(folder: Path) -> None:
    """The client's types, from the JSON files of the same folder."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("node is not on the PATH: run this by `make contract`")
    subprocess.run([node, HERE / "docs" / "types.js", folder.resolve()], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
