"""Reports: filed by everybody with an account, seen by who filed them, decided by moderators."""

from tests.security.matrix.rows import Given, Row, Scene, only, own, signed_in

STAFF = ("moderator", "admin")


async def about_a_book(scene: Scene) -> Given:
    book = await scene.world.book()
    return Given(json={"target_type": "book", "target_id": book.id, "reason": "Wrong"})


async def a_report(scene: Scene) -> Given:
    return Given({"report_id": (await scene.world.report(scene.owner)).id})


async def a_decision(scene: Scene) -> Given:
    report = await scene.world.report(scene.owner)
    version = {"if-match": f'"{report.version}"'}
    return Given({"report_id": report.id}, json={"status": "resolved"}, headers=version)


ROWS = {
    "fileReport": Row(signed_in(201), about_a_book),
    "listReports": Row(only(*STAFF, status=200)),
    "listMyReports": Row(signed_in(200)),
    "getReport": Row(own(200, *STAFF), a_report),
    "decideReport": Row(only(*STAFF, status=200), a_decision),
}
