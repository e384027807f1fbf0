/** One's own account: name, role, password, where one is signed in, and the way out. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { ApiError } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { date, t } from '../lib/i18n.ts';
import { useTitle } from '../lib/page.ts';
import { api, impersonator, me } from '../lib/session.ts';
import { leave } from '../lib/leave.ts';
import { toast } from '../lib/toast.ts';
import { AddressSection } from '../ui/AddressForm.tsx';
import { ApiKeys } from '../ui/ApiKeys.tsx';
import { FactorSections } from '../ui/FactorSections.tsx';
import { Guarded } from '../ui/feedback.tsx';
import { Field } from '../ui/Field.tsx';
import { LinkedAccounts } from '../ui/LinkedAccounts.tsx';
import { PersonalData } from '../ui/PersonalData.tsx';
import { PasswordForm } from '../ui/PasswordForm.tsx';
import { SessionList } from '../ui/SessionList.tsx';
import { initials, nameOf } from '../lib/text.ts';

export function Account() {
  useTitle(t('account.title'));
  return (
    <div class="page page--narrow">
      <Guarded when>
        <Profile />
        <AddressSection />
        <FactorSections />
        <Security />
        <LinkedAccounts />
        <ApiKeys />
        {impersonator.value === null && <PersonalData />}
      </Guarded>
    </div>
  );
}

function Security() {
  const round = useSignal(0);
  return (
    <>
      <section class="chapter" aria-labelledby="sessions">
        <h2 id="sessions">{t('sessions.title')}</h2>
        <SessionList round={String(round.value)} />
      </section>
      <section class="chapter" aria-labelledby="password">
        <h2 id="password">{t('password.title')}</h2>
        <PasswordForm onChanged={() => (round.value += 1)} />
      </section>
    </>
  );
}

function Profile() {
  const { route } = useLocation();
  const problem = useSignal<unknown>(null);
  const user = me.value;
  if (!user) return null;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get('name') ?? '').trim();
    problem.value = null;
    try {
      me.value = await api.users.rename(name);
      toast(t('app.saved'));
    } catch (error) {
      problem.value = error;
    }
  }

  const nameProblem = problem.value instanceof ApiError ? problem.value.fields.get('name') : undefined;
  return (
    <>
      <header class="profile">
        <span class="avatar avatar--large" aria-hidden="true">
          {initials(nameOf(user))}
        </span>
        <div>
          <h1>{t('account.title')}</h1>
          <p>{user.email}</p>
        </div>
      </header>
      <dl class="facts">
        <div>
          <dt>{t('account.role')}</dt>
          <dd>{t(`role.${user.role}`)}</dd>
        </div>
        <div>
          <dt>{t('users.joined')}</dt>
          <dd>{date(user.created_at)}</dd>
        </div>
      </dl>
      <form class="form" onSubmit={submit}>
        <Field name="name" label={t('auth.name')} value={user.name ?? ''} hint={t('auth.nameHint')} autocomplete="name" problem={nameProblem} required />
        {problem.value !== null && !nameProblem && (
          <p class="form__problem" role="alert">
            {explain(problem.value)}
          </p>
        )}
        <div class="form__actions">
          <button type="submit" class="button button--primary">
            {t('app.save')}
          </button>
          <button type="button" class="button" onClick={() => leave(route)}>
            {t('nav.logout')}
          </button>
        </div>
      </form>
    </>
  );
}
