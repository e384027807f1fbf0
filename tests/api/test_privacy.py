"""One's own data: all of it in a file, and none of it after the end of the account."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import pytest

from app.accounts.schemas.privacy import ExportAsked
from app.infra.jobs import Job
from app.kit.clock import now
from app.kit.principal import Role
from tests.support.everywhere import KEPT, lives_everywhere, uses
from tests.support.house import PASSWORD
from tests.support.problems import code_of
from tests.support.world import Actor, World

ME = "/api/v1/users/me"
EXPORT = f"{ME}/export"


async def link_of(world: World, who: Actor) -> str:
    answer = await world.http.post(f"{EXPORT}/link", headers=who.bearer)
    url: str = answer.raise_for_status().json()["url"]
    return url


async def grow_stale(world: World, who: Actor) -> None:
    """The last proof was hours ago."""
    await world.db.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '25 hours' WHERE user_id = $1",
        who.id,
    )


class TestExport:
    async def test_nobody_logged_in(self, world: World) -> None:
        """There is nobody to export."""
        for method, path in (
            ("POST", EXPORT),
            ("GET", EXPORT),
            ("POST", f"{EXPORT}/link"),
            ("GET", f"{EXPORT}/file?until=1&signature={'0' * 64}"),
        ):
            assert code_of(await world.http.request(method, path)) == (401, "unauthorized")

    async def test_somebody_elses_link_opens_nothing(self, world: World) -> None:
        """A link that went astray is worth nothing in any other session, one's own data or none."""
        owner, stranger = await world.someone(), await world.someone()
        await world.finished_export(owner)
        link = await link_of(world, owner)
        answer = await world.http.get(link, headers=stranger.bearer)
        assert code_of(answer) == (404, "export-not-ready")
        await world.finished_export(stranger)
        answer = await world.http.get(link, headers=stranger.bearer)
        assert code_of(answer) == (404, "export-link-expired")
        assert (await world.http.get(link)).status_code == 401

    async def test_everything_of_every_room_is_in_it(self, world: World) -> None:
        """Each table that names people has its section; nothing secret is among it."""
        owner, canary = await world.someone(), f"canary{uuid4().hex}"
        await lives_everywhere(world, owner, canary)
        await world.finished_export(owner)
        answer = await world.http.get(await link_of(world, owner), headers=owner.bearer)
        assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
        assert "no-store" in answer.headers["cache-control"]
        told = answer.json()
        assert told["profile"][0]["email"] == owner.principal.email
        empty = {name for name, rows in told.items() if name != "made_at" and not rows}
        assert empty == set()
        assert told["messages"][0]["user_message"] == canary
        assert told["passkeys"][0]["name"] == canary
        assert told["recovery_codes"] == [{"unused": 1}]
        for name in ("hash", "secret", "public_key", "credential_id", "verifier", "nonce"):
            assert f'{name}"' not in answer.text.replace("has_password", ""), name

    async def test_asks_for_a_fresh_proof(self, world: World) -> None:
        """ASVS 5.0, 7.5.3: for the file, and for each link to it."""
        owner = await world.someone()
        await world.finished_export(owner)
        await grow_stale(world, owner)
        for path in (EXPORT, f"{EXPORT}/link"):
            answer = await world.http.post(path, headers=owner.bearer)
            assert code_of(answer) == (403, "fresh-proof-required")

    async def test_links_end(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """After some minutes, and whoever writes another end into one has none at all."""
        owner = await world.someone()
        await world.finished_export(owner)
        link = await link_of(world, owner)
        until, _, rest = link.partition("until=")[2].partition("&")
        forged = f"{EXPORT}/file?until={int(until) + 9999}&{rest}"
        assert code_of(await world.http.get(forged, headers=owner.bearer)) == (
            404,
            "export-link-expired",
        )
        assert 0 < int(until) - now().timestamp() <= 15 * 60
        monkeypatch.setattr(world.house.privacy, "_link_lasts", timedelta(seconds=-1))
        over = await link_of(world, owner)
        answer = await world.http.get(over, headers=owner.bearer)
        assert code_of(answer) == (404, "export-link-expired")

    async def test_asked_twice_is_made_once(self, world: World) -> None:
        """While one is being made a second request is answered with it."""
        owner = await world.someone()
        answers = await asyncio.gather(
            *(world.http.post(EXPORT, headers=owner.bearer) for _ in range(4))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert {answer.json()["status"] for answer in answers} == {"waiting"}
        sql = "SELECT count(*) FROM jobs WHERE payload ->> 'user_id' = $1"
        assert await world.db.fetchval(sql, str(owner.id)) == 1

    async def test_number_is_bounded(self, world: World) -> None:
        """Gathering is costly: a few a day."""
        owner = await world.someone()
        statuses = [
            (await world.http.post(EXPORT, headers=owner.bearer)).status_code for _ in range(6)
        ]
        assert statuses == [202] * 5 + [429]

    async def test_removed_after_a_week(self, world: World) -> None:
        """The row at once, the file by a job."""
        owner = await world.someone()
        await world.finished_export(owner)
        link = await link_of(world, owner)
        await world.db.execute(
            "UPDATE exports SET expires_at = now() - interval '1 s' WHERE user_id = $1", owner.id
        )
        assert code_of(await world.http.get(link, headers=owner.bearer)) == (
            404,
            "export-not-ready",
        )
        await world.house.privacy.trim()
        answer = await world.http.get(EXPORT, headers=owner.bearer)
        assert answer.json()["status"] == "none"
        assert await world.db.fetchval("SELECT count(*) FROM jobs WHERE kind LIKE '%removed'") >= 1

    async def test_late_worker_leaves_nothing_behind(self, world: World) -> None:
        """Who was erased meanwhile gets no file."""
        owner = await world.someone()
        await world.http.post(EXPORT, headers=owner.bearer)
        job, asked = await world.job_of("accounts.export", owner.id)
        await world.http.delete(ME, headers=owner.bearer)
        await world.house.privacy._make(job, asked)
        row = await world.db.fetchrow(
            "SELECT payload FROM jobs WHERE kind = 'accounts.export-removed' "
            "AND payload -> 'export_ids' ? $1",
            asked.export_id,
        )
        assert row is not None
        assert isinstance(job, Job)
        assert isinstance(asked, ExportAsked)


class TestDelete:
    async def test_nobody_logged_in(self, world: World) -> None:
        """There is nobody to delete."""
        assert code_of(await world.http.delete(ME)) == (401, "unauthorized")

    async def test_asks_for_a_fresh_proof(self, world: World) -> None:
        """A session left open deletes no account (ASVS 5.0, 7.5.3)."""
        owner = await world.someone()
        await grow_stale(world, owner)
        answer = await world.http.delete(ME, headers=owner.bearer)
        assert code_of(answer) == (403, "fresh-proof-required")

    async def test_every_table_with_people_is_covered(self, world: World) -> None:
        """Walks the foreign keys: who adds one adds a row above, and says what becomes of it."""
        owner, canary = await world.someone(Role.MODERATOR), f"canary{uuid4().hex}"
        await lives_everywhere(world, owner, canary)
        await world.finished_export(owner)
        before = await uses(world, owner.id)
        bare = [place for place, count in before.items() if count == 0]
        assert bare == [], "lives_everywhere() leaves nothing in these"
        answer = await world.http.delete(ME, headers=owner.bearer)
        assert answer.status_code == 204, answer.text
        after = await uses(world, owner.id)
        assert {place for place, count in after.items() if count} == KEPT
        for row in await world.db.fetch(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ):
            found = await world.db.fetchval(
                f"SELECT count(*) FROM {row['table_name']} t "
                "WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'",
                canary,
                owner.principal.email,
            )
            assert found == 0, f"{row['table_name']} still knows the name, address or words"

    async def test_session_ends_and_the_address_is_free(self, world: World) -> None:
        """Nothing opens the account any more; somebody new may take its address."""
        owner = await world.someone()
        form = {"email": owner.principal.email, "password": PASSWORD}
        assert (await world.http.delete(ME, headers=owner.bearer)).status_code == 204
        assert (await world.http.get(ME, headers=owner.bearer)).status_code == 401
        assert (await world.http.post("/api/v1/auth/login", json=form)).status_code == 401
        again = await world.http.post("/api/v1/auth/signup", json=form)
        assert again.status_code == 201
        assert again.json()["user"]["id"] != owner.id
        world.http.cookies.clear()

    async def test_counters_stay_true(self, world: World) -> None:
        """A like that goes with its person is not counted any more; a view stays counted."""
        owner, book = await world.someone(), await world.book()
        for kind in ("like", "view"):
            body = {"book_id": book.id, "type": kind}
            await world.http.post("/api/v1/interactions", json=body, headers=owner.bearer)
        await world.http.delete(ME, headers=owner.bearer)
        counters = await world.house.interactions.counters(book.id)
        assert (counters.likes, counters.views) == (0, 1)

    async def test_decisions_and_the_audit_log_stay_without_a_name(self, world: World) -> None:
        """What was decided is still decided, by a number; the chain is whole and says so."""
        owner = await world.someone()
        report = await world.report(owner)
        await world.http.delete(ME, headers=owner.bearer)
        admin = await world.someone(Role.ADMIN)
        seen = await world.http.get(f"/api/v1/reports/{report.id}", headers=admin.bearer)
        assert seen.status_code == 200
        assert json.dumps(seen.json()).find(owner.principal.email) == -1
        log = await world.http.get(
            "/api/v1/audit", params={"actor_id": owner.id}, headers=admin.bearer
        )
        assert "user.erased" in [entry["action"] for entry in log.json()["items"]]
        assert (await world.house.audit.check_chain(admin.principal)).intact

    async def test_erased_moderator_s_decision_counts_on(self, world: World) -> None:
        """It is about others: the number of who decided stays, the name goes."""
        moderator, reporter = await world.someone(Role.MODERATOR), await world.someone()
        await world.db.execute("UPDATE users SET name = 'Sari' WHERE id = $1", moderator.id)
        report = await world.report(reporter)
        url, form = f"/api/v1/reports/{report.id}", {"status": "resolved"}
        match = moderator.bearer | {"if-match": f'"{report.version}"'}
        decided = (await world.http.put(url, json=form, headers=match)).raise_for_status().json()
        assert decided["decider"] == {"id": moderator.id, "name": "Sari"}
        (await world.http.delete(ME, headers=moderator.bearer)).raise_for_status()
        other = await world.someone(Role.MODERATOR)
        seen = (await world.http.get(url, headers=other.bearer)).json()
        assert (seen["status"], seen["decided_by"]) == ("resolved", moderator.id)
        assert seen["decider"] == {"id": moderator.id, "name": None}

    async def test_last_admin_stays(self, world: World) -> None:
        """A library without an admin could not get one."""
        admin = await world.someone(Role.ADMIN)
        await world.db.execute(
            "UPDATE users SET role = 'user' WHERE role = 'admin' AND id <> $1", admin.id
        )
        answer = await world.http.delete(ME, headers=admin.bearer)
        assert code_of(answer) == (409, "last-admin")
        other = await world.someone(Role.ADMIN)
        assert (await world.http.delete(ME, headers=admin.bearer)).status_code == 204
        assert other.id != admin.id
