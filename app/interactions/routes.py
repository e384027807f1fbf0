"""REST of interactions: parse, call one verb, answer."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.http.params import OptionalId
from app.http.reach import for_keys
from app.interactions.schemas import Counters, RecordInteraction, Stats
from app.interactions.service import Interactions
from app.kit.principal import Principal, Scope

WRITE = for_keys(Scope.INTERACTIONS_WRITE)
READ = for_keys(Scope.INTERACTIONS_READ)


@post("/interactions", operation_id="recordInteraction", opt=WRITE, status_code=200)
async def record_interaction(
    data: JSONBody[RecordInteraction],
    principal: NamedDependency[Principal],
    interactions: NamedDependency[Interactions],
) -> Counters:
    """Count a view, a download, a like, or take a like back; answers the book's counters.

    Repeating it changes nothing: a like stands once, a view or download counts once per window.
    """
    return await interactions.record(principal, data)


@get("/interactions/stats", operation_id="getStats", opt=READ)
async def get_stats(
    principal: NamedDependency[Principal],
    interactions: NamedDependency[Interactions],
    book_id: OptionalId = None,
) -> Stats:
    """The counters of one book; without `book_id` the whole library's, for teachers and admins."""
    return await interactions.stats(principal, book_id)


routes = [record_interaction, get_stats]
