/** One person in the admins' list, and what can be done about them. */

import type { ManagedUser, Role } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { ago, date, moment, t } from '../lib/i18n.ts';
import { api, me } from '../lib/session.ts';
import { initials, nameOf } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Confirm } from './Dialog.tsx';
import { CloseDialog, EnterDialog } from './PersonDialogs.tsx';

export const ROLES: readonly Role[] = ['user', 'teacher', 'moderator', 'admin'];

type Doing = 'nothing' | 'closing' | 'entering' | 'resetting';

export function PersonRow({ user, replace }: { user: ManagedUser; replace: (user: ManagedUser) => void }) {
  const isBusy = useSignal(false);
  const doing = useSignal<Doing>('nothing');
  const name = nameOf(user);
  const stop = () => (doing.value = 'nothing');

  async function attempt(act: () => Promise<ManagedUser | unknown>, done: string) {
    isBusy.value = true;
    try {
      const answer = await act();
      replace(isPerson(answer) ? answer : await api.users.get(user.id));
      toast(done);
    } catch (error) {
      toast(explain(error), 'warn');
      // The select shows what was chosen; putting the same user back makes it show what is.
      replace({ ...user });
    }
    isBusy.value = false;
  }

  function setRole(role: Role) {
    void attempt(() => api.users.setRole(user.id, role), t('users.roleChanged', { name, role: t(`role.${role}`) }));
  }

  const isSelf = user.id === me.value?.id;
  return (
    <li class="person" data-active={user.status === 'active'}>
      <span class="avatar" aria-hidden="true">
        {initials(name)}
      </span>
      <Who user={user} isSelf={isSelf} />
      <select
        value={user.role}
        disabled={isSelf || isBusy.value}
        aria-label={t('users.role', { name })}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      >
        {ROLES.map((role) => (
          <option key={role} value={role}>
            {t(`role.${role}`)}
          </option>
        ))}
      </select>
      {!isSelf && <Deeds user={user} isBusy={isBusy.value} attempt={attempt} start={(what) => (doing.value = what)} />}
      {doing.value === 'closing' && (
        <CloseDialog
          user={user}
          onClose={stop}
          onClosed={(closed) => {
            replace(closed);
            toast(t('users.closed', { name }));
          }}
        />
      )}
      {doing.value === 'entering' && <EnterDialog user={user} onClose={stop} />}
      {doing.value === 'resetting' && (
        <Confirm
          question={t('users.resetSure', { name })}
          action={t('users.resetFactors')}
          onConfirm={() => void attempt(() => api.users.resetFactors(user.id), t('users.factorsReset', { name }))}
          onClose={stop}
        />
      )}
    </li>
  );
}

function Who({ user, isSelf }: { user: ManagedUser; isSelf: boolean }) {
  const { deactivated_reason: reason, deactivated_until: until, last_sign_in_at: seen } = user;
  const isActive = user.status === 'active';
  return (
    <div class="person__who">
      <p class="person__name">
        {nameOf(user)}
        {isSelf && <span class="tag tag--quiet">{t('users.you')}</span>}
        {!isActive && <span class="tag">{t('users.inactive')}</span>}
        {!user.email_verified && <span class="tag">{t('users.unverified')}</span>}
        {user.second_factor && <span class="tag tag--quiet">{t('users.twoStep')}</span>}
      </p>
      <p class="person__mail">
        {user.email} · {t('users.joined')} {date(user.created_at)} ·{' '}
        {seen ? t('users.seen', { ago: ago(seen, Date.now()) }) : t('users.neverSeen')}
      </p>
      {!isActive && (reason || until) && (
        <p class="person__mail">
          {[reason && t('users.closedFor', { reason }), until && t('users.closedUntil', { date: moment(until) })]
            .filter(Boolean)
            .join(' · ')}
        </p>
      )}
    </div>
  );
}

interface DeedsProps {
  user: ManagedUser;
  isBusy: boolean;
  attempt: (act: () => Promise<unknown>, done: string) => Promise<void>;
  start: (what: Doing) => void;
}

function Deeds({ user, isBusy, attempt, start }: DeedsProps) {
  const name = nameOf(user);
  const isActive = user.status === 'active';
  const reopen = () => attempt(() => api.users.reactivate(user.id), t('users.reopened', { name }));
  return (
    <div class="person__deeds">
      <button
        type="button"
        class="button button--small"
        disabled={isBusy}
        onClick={() => void attempt(() => api.users.signOut(user.id), t('users.signedOut', { name }))}
      >
        {t('users.signOut')}
      </button>
      <button type="button" class="button button--small" disabled={isBusy} onClick={() => (isActive ? start('closing') : void reopen())}>
        {t(isActive ? 'users.deactivate' : 'users.reactivate')}
      </button>
      <details class="more">
        <summary class="button button--small" aria-label={t('users.more', { name })}>
          {t('users.moreShort')}
        </summary>
        <div class="more__list">
          {isActive && user.role !== 'admin' && (
            <button type="button" class="button button--small" onClick={() => start('entering')}>
              {t('visit.begin')}
            </button>
          )}
          {!user.email_verified && (
            <button
              type="button"
              class="button button--small"
              onClick={() => void attempt(() => api.users.verify(user.id), t('users.verifiedNow', { name }))}
            >
              {t('users.verify')}
            </button>
          )}
          <button type="button" class="button button--small" disabled={!user.second_factor} onClick={() => start('resetting')}>
            {t('users.resetFactors')}
          </button>
        </div>
      </details>
    </div>
  );
}

function isPerson(answer: unknown): answer is ManagedUser {
  return typeof answer === 'object' && answer !== null && 'email_verified' in answer;
}
