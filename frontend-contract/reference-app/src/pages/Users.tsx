/** For administrators: who there is, what they may do, and whether they may come in. */

import type { Role, User } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { explain } from '../lib/errors.ts';
import { date, t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api, isAdmin, me } from '../lib/session.ts';
import { initials, nameOf } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Failed, Guarded, Loading } from '../ui/feedback.tsx';
import { Icon } from '../ui/icons.tsx';

const ROLES: readonly Role[] = ['user', 'teacher', 'moderator', 'admin'];

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
  const q = useSignal('');
  const users = useSignal<User[]>([]);
  const cursor = useSignal<string | null>(null);
  const { result, again } = useLoad(() => api.users.list({ q: q.value, limit: 50 }), [q.value]);
  useEffect(() => {
    if (result.state !== 'ready') return;
    users.value = result.value.items;
    cursor.value = result.value.next;
  }, [result]);

  const replace = (user: User) => (users.value = users.value.map((old) => (old.id === user.id ? user : old)));

  async function more() {
    try {
      const page = await api.users.list({ q: q.value, limit: 50, cursor: cursor.value });
      users.value = [...users.value, ...page.items];
      cursor.value = page.next;
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  return (
    <>
      <header class="desk__head">
        <h1>{t('users.title')}</h1>
        <search class="search">
          <Icon name="search" />
          <input
            type="search"
            aria-label={t('users.search')}
            placeholder={t('users.search')}
            onChange={(event) => (q.value = event.currentTarget.value.trim())}
          />
        </search>
      </header>
      {result.state === 'loading' && !users.value.length && <Loading />}
      {result.state === 'failed' && <Failed error={result.error} again={again} />}
      <ul class="people">
        {users.value.map((user) => (
          <Person key={user.id} user={user} replace={replace} />
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

function Person({ user, replace }: { user: User; replace: (user: User) => void }) {
  const isBusy = useSignal(false);
  const isSelf = user.id === me.value?.id;
  const isActive = user.status === 'active';

  async function change(act: () => Promise<User | undefined>, assumed: Partial<User>, done?: string) {
    isBusy.value = true;
    try {
      replace({ ...user, ...assumed, ...(await act()) });
      if (done) toast(done);
    } catch (error) {
      toast(explain(error), 'warn');
      // The select shows what was chosen; putting the same user back makes it show what is.
      replace({ ...user });
    }
    isBusy.value = false;
  }

  function setRole(role: Role) {
    const done = t('users.roleChanged', { name: nameOf(user), role: t(`role.${role}`) });
    void change(() => api.users.setRole(user.id, role), { role }, done);
  }

  function toggle() {
    if (isActive) {
      void change(() => api.users.deactivate(user.id), { status: 'deactivated' });
    } else {
      void change(() => api.users.reactivate(user.id), { status: 'active' });
    }
  }

  async function signOut() {
    isBusy.value = true;
    try {
      await api.users.signOut(user.id);
      toast(t('users.signedOut', { name: nameOf(user) }));
    } catch (error) {
      toast(explain(error), 'warn');
    }
    isBusy.value = false;
  }

  return (
    <li class="person" data-active={isActive}>
      <span class="avatar" aria-hidden="true">
        {initials(nameOf(user))}
      </span>
      <div class="person__who">
        <p class="person__name">
          {nameOf(user)}
          {isSelf && <span class="tag tag--quiet">{t('users.you')}</span>}
          {!isActive && <span class="tag">{t('users.inactive')}</span>}
        </p>
        <p class="person__mail">
          {user.email} · {t('users.joined')} {date(user.created_at)}
        </p>
      </div>
      <select
        value={user.role}
        disabled={isSelf || isBusy.value}
        aria-label={t('users.role', { name: nameOf(user) })}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      >
        {ROLES.map((role) => (
          <option key={role} value={role}>
            {t(`role.${role}`)}
          </option>
        ))}
      </select>
      <div class="person__deeds">
        <button type="button" class="button button--small" disabled={isSelf || isBusy.value} onClick={signOut}>
          {t('users.signOut')}
        </button>
        <button type="button" class="button button--small" disabled={isSelf || isBusy.value} onClick={toggle}>
          {t(isActive ? 'users.deactivate' : 'users.reactivate')}
        </button>
      </div>
    </li>
  );
}
