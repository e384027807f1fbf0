"""One's own data: for the person alone, whatever their role."""

from tests.security.matrix.rows import Given, Row, Scene, signed_in


async def a_finished_export(scene: Scene) -> Given:
    if scene.who is not None:
        await scene.world.finished_export(scene.who)
    return Given()


ROWS = {
    "askExport": Row(signed_in(202)),
    "getExport": Row(signed_in(200)),
    "linkExport": Row(signed_in(200), a_finished_export),
    # Without its link; with one: tests/api/test_privacy.py.
    "getExportFile": Row(signed_in(400)),
    "deleteMe": Row(signed_in(204)),
}
