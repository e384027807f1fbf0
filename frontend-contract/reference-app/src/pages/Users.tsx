/** For administrators: who there is, what they may do, and whether they may come in. */

import type { ManagedUser } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { t, type Key } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api, isAdmin } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Empty, Failed, Guarded, Loading } from '../ui/feedback.tsx';
import { Icon } from '../ui/icons.tsx';
import { PersonRow, ROLES } from '../ui/PersonRow.tsx';

const SORTS = ['id', '-id', 'name', 'email', '-last_sign_in_at', 'last_sign_in_at'] as const;
const PAGE = 50;

type Filter = 'role' | 'status' | 'verified' | 'second_factor';
type Wanted = Record<Filter | 'q' | 'sort', string>;

const NOTHING: Wanted = { q: '', role: '', status: '', verified: '', second_factor: '', sort: 'id' };
const CHOICES: Record<Filter, readonly (readonly [string, Key])[]> = {
  role: ROLES.map((role) => [role, `role.${role}`] as const),
  status: [
    ['active', 'users.status.active'],
    ['deactivated', 'users.status.deactivated'],
  ],
  verified: [
    ['true', 'users.verified.true'],
    ['false', 'users.verified.false'],
  ],
  second_factor: [
    ['true', 'users.second_factor.true'],
    ['false', 'users.second_factor.false'],
  ],
};

export function Users() {
  useTitle(t('users.title'));
  return (
    <div class="page">
      <Guarded when={isAdmin.value}>
        <People />
      </Guarded>
    </div>
  );
}

function People() {
  const wanted = useSignal<Wanted>(NOTHING);
  const users = useSignal<ManagedUser[]>([]);
  const cursor = useSignal<string | null>(null);
  const query = { ...wanted.value, limit: PAGE };
  const { result, again } = useLoad(() => api.users.list(query), [JSON.stringify(wanted.value)]);
  useEffect(() => {
    if (result.state !== 'ready') return;
    users.value = result.value.items;
    cursor.value = result.value.next;
  }, [result]);

  const replace = (user: ManagedUser) => (users.value = users.value.map((old) => (old.id === user.id ? user : old)));

  async function more() {
    try {
      const page = await api.users.list({ ...query, cursor: cursor.value });
      users.value = [...users.value, ...page.items];
      cursor.value = page.next;
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <>
      <Head onSearch={(q) => (wanted.value = { ...wanted.value, q })} />
      <PeopleFilters wanted={wanted.value} onChange={(change) => (wanted.value = { ...wanted.value, ...change })} />
      {result.state === 'loading' && !users.value.length && <Loading />}
      {result.state === 'failed' && <Failed error={result.error} again={again} />}
      {result.state === 'ready' && !users.value.length && <Empty title={t('users.none')} />}
      <ul class="people">
        {users.value.map((user) => (
          <PersonRow key={user.id} user={user} replace={replace} />
        ))}
      </ul>
      {cursor.value && (
        <button type="button" class="button shelf__more" onClick={more}>
          {t('app.more')}
        </button>
      )}
    </>
  );
}

function Head({ onSearch }: { onSearch: (q: string) => void }) {
  return (
    <header class="desk__head">
      <h1>{t('users.title')}</h1>
      <search class="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label={t('users.search')}
          placeholder={t('users.search')}
          onChange={(event) => onSearch(event.currentTarget.value.trim())}
        />
      </search>
      <a class="button" href="/admin/audit">
        <Icon name="list" />
        {t('users.audit')}
      </a>
    </header>
  );
}

function PeopleFilters({ wanted, onChange }: { wanted: Wanted; onChange: (change: Partial<Wanted>) => void }) {
  return (
    <div class="sieve" role="group" aria-label={t('users.filters')}>
      {(Object.keys(CHOICES) as Filter[]).map((name) => (
        <label key={name} class="field field--inline">
          <span class="field__label">{t(`users.filter.${name}`)}</span>
          <select name={name} value={wanted[name]} onChange={(event) => onChange({ [name]: event.currentTarget.value })}>
            <option value="">{t('users.any')}</option>
            {CHOICES[name].map(([value, key]) => (
              <option key={value} value={value}>
                {t(key)}
              </option>
            ))}
          </select>
        </label>
      ))}
      <label class="field field--inline">
        <span class="field__label">{t('users.sort')}</span>
        <select name="sort" value={wanted.sort} onChange={(event) => onChange({ sort: event.currentTarget.value })}>
          {SORTS.map((value) => (
            <option key={value} value={value}>
              {t(`users.sort.${value}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
