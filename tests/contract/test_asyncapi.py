"""The realtime document is valid and says exactly what the node serves."""

from typing import Any

from app.contract import CHANNEL_DOCS, RPC_DOCS
from app.house import House
from app.settings import Settings
from tests.contract.conftest import CONTRACT, node


def test_document_is_valid_asyncapi_3() -> None:
    """The official parser accepts it without an error or a warning."""
    done = node("asyncapi.js", CONTRACT / "asyncapi.json")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_channel_family_is_described(settings: Settings) -> None:
    """What is registered is described with its delivery class, and nothing else is."""
    families = House(settings).node._channels._families
    registered = {family.pattern: (family.delivery, bool(family.snapshot)) for family in families}
    described = {doc.address: (doc.delivery, doc.snapshot is not None) for doc in CHANNEL_DOCS}
    assert described == registered


def test_every_rpc_method_is_described(settings: Settings) -> None:
    """The same for methods."""
    registered = set(House(settings).node._commands._rpc)
    assert {doc.method for doc in RPC_DOCS} == registered


def test_every_method_names_its_rest_twin(openapi: dict[str, Any]) -> None:
    """One verb, two doors: the operation that a method is the same as exists."""
    operations = {
        operation["operationId"]
        for verbs in openapi["paths"].values()
        for operation in verbs.values()
    }
    assert {doc.same_as for doc in RPC_DOCS} <= operations


def test_both_documents_mean_the_same_by_a_name(
    openapi: dict[str, Any], asyncapi: dict[str, Any]
) -> None:
    """A struct that travels on both sides has one schema."""
    rest, realtime = (doc["components"]["schemas"] for doc in (openapi, asyncapi))
    for name in rest.keys() & realtime.keys():
        assert rest[name] == realtime[name]
