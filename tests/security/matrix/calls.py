"""Allowed calls of every mutating route, for tests that walk them all."""

from dataclasses import dataclass

from tests.security.matrix import ROWS
from tests.security.matrix.rows import COLUMNS, REFUSED, ROLES, Given, Scene
from tests.support.routes import Address
from tests.support.world import World


@dataclass(frozen=True)
class Call:
    """A request that succeeds, ready to be sent."""

    address: Address
    scene: Scene
    given: Given

    @property
    def url(self) -> str:
        """Where it goes."""
        return self.address.path.format(**self.given.path)


async def scene_for(world: World, column: str) -> Scene:
    """New people for each cell: nothing that one cell does reaches another."""
    owner = await world.someone()
    if column == "owner":
        return Scene(world, owner, owner)
    who = await world.someone(ROLES[column]) if column in ROLES else None
    return Scene(world, who, owner)


def allowed_column(address: Address) -> str:
    """A role for which the route does what it is for; somebody signed in where possible."""
    cells = ROWS[address.name].cells
    in_order = (*COLUMNS[1:], "nobody")
    return next((one for one in in_order if cells[one] < REFUSED), COLUMNS[1])


def can_succeed(address: Address) -> bool:
    """Whether the matrix knows how to make a call that is carried out."""
    return min(ROWS[address.name].cells.values()) < REFUSED


async def allowed_call(world: World, address: Address) -> Call:
    """The call with its things made."""
    scene = await scene_for(world, allowed_column(address))
    return Call(address, scene, await ROWS[address.name].arrange(scene))
