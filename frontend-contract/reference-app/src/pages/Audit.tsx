/** For administrators: who did what to which thing, and whether the chain of entries is whole. */

import type { AuditEntry, ChainState } from '@sicerdas/client';
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { count, moment, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api, isAdmin } from '../lib/session.ts';
import { nameOf } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Empty, Failed, Guarded, Loading } from '../ui/feedback.tsx';
import { Field } from '../ui/Field.tsx';
import { Icon } from '../ui/icons.tsx';

const PAGE = 50;
const FIELDS = ['q', 'actor_id', 'action'] as const;

/** Names of those who appear; each is asked for once. */
const names = signal<ReadonlyMap<number, string>>(new Map());
const asked = new Set<number>();

export function Audit() {
  useTitle(t('audit.title'));
  return (
    <div class="page">
      <Guarded when={isAdmin.value}>
        <Log />
      </Guarded>
    </div>
  );
}

function Log() {
  const wanted = useSignal<Record<string, string>>({});
  const entries = useSignal<AuditEntry[]>([]);
  const cursor = useSignal<string | null>(null);
  const query = { ...wanted.value, limit: PAGE };
  const { result, again } = useLoad(() => api.audit.list(query), [JSON.stringify(wanted.value)]);
  useEffect(() => {
    if (result.state !== 'ready') return;
    entries.value = result.value.items;
    cursor.value = result.value.next;
  }, [result]);
  useEffect(() => askForNames(entries.value), [entries.value]);

  async function more() {
    try {
      const page = await api.audit.list({ ...query, cursor: cursor.value });
      entries.value = [...entries.value, ...page.items];
      cursor.value = page.next;
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <>
      <header class="desk__head">
        <div>
          <h1>{t('audit.title')}</h1>
          <p>{t('audit.lead')}</p>
        </div>
        <a class="button" href="/admin/users">
          <Icon name="people" />
          {t('audit.people')}
        </a>
      </header>
      <Chain />
      <Search onSearch={(found) => (wanted.value = found)} />
      {result.state === 'loading' && !entries.value.length && <Loading />}
      {result.state === 'failed' && <Failed error={result.error} again={again} />}
      {result.state === 'ready' && !entries.value.length && <Empty title={t('audit.none')} />}
      {entries.value.length > 0 && <Entries entries={entries.value} />}
      {cursor.value && (
        <button type="button" class="button shelf__more" onClick={more}>
          {t('app.more')}
        </button>
      )}
    </>
  );
}

function Chain() {
  const state = useSignal<ChainState | null>(null);
  const isBusy = useSignal(false);

  async function verify() {
    isBusy.value = true;
    try {
      state.value = await api.audit.verify();
    } catch (error) {
      toast(explain(error), 'warn');
    }
    isBusy.value = false;
  }

  const found = state.value;
  return (
    <div class="chain" role="status">
      <button type="button" class="button" disabled={isBusy.value} onClick={verify}>
        <Icon name="shield" />
        {t(isBusy.value ? 'audit.verifying' : 'audit.verify')}
      </button>
      {found?.intact && (
        <p class="chain__good">
          <strong>{count('audit.intact', found.entries)}</strong> {found.head && t('audit.head', { head: found.head })}
        </p>
      )}
      {found && !found.intact && <p class="chain__bad">{t('audit.broken', { id: found.broken_at ?? 0 })}</p>}
    </div>
  );
}

function Search({ onSearch }: { onSearch: (wanted: Record<string, string>) => void }) {
  function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, String(data.get(name) ?? '').trim()]));
    onSearch({ ...wanted, since: startOf(data.get('since'), 0), until: startOf(data.get('until'), 1) });
  }

  return (
    <form class="sieve" role="search" onSubmit={submit}>
      <Field name="q" label={t('audit.search')} hint={t('audit.searchHint')} maxLength={200} />
      <Field name="action" label={t('audit.action')} maxLength={100} />
      <Field name="actor_id" type="number" label={t('audit.actor')} min={1} />
      <Field name="since" type="date" label={t('audit.since')} />
      <Field name="until" type="date" label={t('audit.until')} />
      <button type="submit" class="button button--primary">
        {t('audit.show')}
      </button>
    </form>
  );
}

/** The first moment of a day here, or of the day after it. */
function startOf(day: FormDataEntryValue | null, after: number): string {
  if (!day) return '';
  const start = new Date(`${String(day)}T00:00`);
  start.setDate(start.getDate() + after);
  return start.toISOString();
}

function Entries({ entries }: { entries: AuditEntry[] }) {
  return (
    <div class="scroller" tabIndex={0} role="region" aria-label={t('audit.title')}>
      <table class="ledger">
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">{t('audit.when')}</th>
            <th scope="col">{t('audit.who')}</th>
            <th scope="col">{t('audit.what')}</th>
            <th scope="col">{t('audit.target')}</th>
            <th scope="col">{t('audit.detail')}</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id}>
              <td>{entry.id}</td>
              <td>
                <time dateTime={entry.at}>{moment(entry.at)}</time>
              </td>
              <td>{whoDid(entry)}</td>
              <td>
                <code>{entry.action}</code>
              </td>
              <td>{entry.target_type === 'user' ? personName(Number(entry.target_id)) : `${entry.target_type} ${entry.target_id}`}</td>
              <td>
                <code class="ledger__detail">{detailOf(entry)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function whoDid({ actor_id, impersonator_id }: AuditEntry): string {
  if (actor_id === null) return t('audit.system');
  if (impersonator_id === null) return personName(actor_id);
  return t('audit.inName', { admin: personName(impersonator_id), person: personName(actor_id) });
}

function personName(id: number): string {
  return names.value.get(id) ?? t('audit.person', { id });
}

function detailOf({ detail }: AuditEntry): string {
  return Object.entries(detail)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

function askForNames(entries: AuditEntry[]): void {
  const ids = entries.flatMap((entry) => [
    entry.actor_id,
    entry.impersonator_id,
    entry.target_type === 'user' ? Number(entry.target_id) : null,
  ]);
  for (const id of new Set(ids)) {
    if (id === null || asked.has(id)) continue;
    asked.add(id);
    void api.users.get(id).then(
      (user) => (names.value = new Map(names.value).set(id, nameOf(user))),
      () => undefined,
    );
  }
}
