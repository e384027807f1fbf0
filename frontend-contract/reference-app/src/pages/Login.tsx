/** The door: logging in and signing up. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import type { ComponentChildren } from 'preact';
import { ApiError, type SecondStep } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { useTitle } from '../lib/page.ts';
import { login, me, signup } from '../lib/session.ts';
import { nameOf, ownPath } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Field } from '../ui/Field.tsx';
import { Mark } from '../ui/icons.tsx';
import { ArrivalProblem, ProviderButtons } from '../ui/Providers.tsx';
import { PasskeyDoor } from '../ui/PasskeyDoor.tsx';
import { SecondStepForm } from '../ui/SecondStepForm.tsx';

const MIN_PASSWORD = 8;

export function Login() {
  const { query, route } = useLocation();
  const step = useSignal<SecondStep | null>(stepOfAddress());
  const problem = useSignal<unknown>(null);
  useTitle(t('auth.login'));

  function enter() {
    if (me.value) toast(t('auth.welcome', { name: nameOf(me.value) }));
    route(ownPath(query['next']), true);
  }

  if (step.value) {
    return (
      <SecondStepForm
        step={step.value}
        onIn={enter}
        onRestart={(why) => {
          problem.value = why;
          step.value = null;
        }}
      />
    );
  }
  return (
    <Door
      title={t('auth.login')}
      other={{ href: withNext('/signup', query['next']), question: t('auth.noAccount'), text: t('auth.signup') }}
      isNew={false}
      before={problem.value}
      onSubmit={async ({ email, password }) => {
        step.value = await login(email, password);
        if (!step.value) route(ownPath(query['next']), true);
      }}
    >
      <PasskeyDoor onIn={enter} />
      <p class="door__ways">
        <a href="/forgot">{t('mailed.forgot')}</a>
        <a href="/sign-in">{t('mailed.byMail')}</a>
      </p>
    </Door>
  );
}

export function Signup() {
  const { query, route } = useLocation();
  useTitle(t('auth.signup'));
  return (
    <Door
      title={t('auth.signup')}
      other={{ href: withNext('/login', query['next']), question: t('auth.haveAccount'), text: t('auth.login') }}
      isNew
      onSubmit={async ({ email, password, name }) => {
        if (await signup(email, password, name)) return route(ownPath(query['next']), true);
        toast(t('auth.checkMail'));
        route('/login', true);
      }}
    />
  );
}

/** A door that is another site's page leads back here with its second step in the fragment. */
function stepOfAddress(): SecondStep | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get('second-step');
  if (!token) return null;
  history.replaceState(history.state, '', location.pathname + location.search);
  const methods = (given.get('methods') ?? 'totp,passkey,recovery').split(',');
  return { token, methods: methods as SecondStep['methods'], expires_in: 0 };
}

function withNext(path: string, next: string | undefined): string {
  return next ? `${path}?next=${encodeURIComponent(next)}` : path;
}

interface Entry {
  email: string;
  password: string;
  name: string;
}

interface DoorProps {
  title: string;
  isNew: boolean;
  other: { href: string; question: string; text: string };
  onSubmit: (entry: Entry) => Promise<void>;
  /** What went wrong before one came (back) to this door. */
  before?: unknown;
  /** Other ways in. */
  children?: ComponentChildren;
}

function Door({ title, isNew, other, onSubmit, before = null, children }: DoorProps) {
  const problem = useSignal<unknown>(before);
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const read = (name: string) => String(data.get(name) ?? '');
    isBusy.value = true;
    problem.value = null;
    try {
      await onSubmit({ email: read('email').trim(), password: read('password'), name: read('name').trim() });
      if (me.value) toast(t('auth.welcome', { name: nameOf(me.value) }));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  const fields = problem.value instanceof ApiError ? problem.value.fields : new Map<string, string>();
  const code = problem.value instanceof ApiError ? problem.value.code : '';
  const isWeak = code === 'password-too-common';
  const mayBeUnconfirmed = !isNew && (code === 'wrong-credentials' || code === 'email-not-verified');
  const isDeceptive = code === 'deceptive-address' || code === 'domain-not-ascii';
  return (
    <div class="door">
      <Mark />
      <h1>{title}</h1>
      <ArrivalProblem />
      <form class="form" onSubmit={submit}>
        {isNew && (
          <Field name="name" label={t('auth.name')} hint={t('auth.nameHint')} autocomplete="name" problem={fields.get('name')} required />
        )}
        <Field name="email" type="email" label={t('auth.email')} autocomplete={isNew ? 'email' : 'username webauthn'} problem={isDeceptive ? explain(problem.value) : fields.get('email')} required />
        <Field
          name="password"
          type="password"
          label={t('auth.password')}
          autocomplete={isNew ? 'new-password' : 'current-password'}
          problem={isWeak ? explain(problem.value) : fields.get('password')}
          required
          {...(isNew ? { minLength: MIN_PASSWORD, hint: t('auth.passwordHint') } : {})}
        />
        {problem.value !== null && !isWeak && !isDeceptive && (
          <p class="form__problem" role="alert">
            {sentence(problem.value, isNew)} {mayBeUnconfirmed && <a href="/verify">{t('verify.send')}</a>}
          </p>
        )}
        <button type="submit" class="button button--primary button--wide" disabled={isBusy.value}>
          {title}
        </button>
      </form>
      <ProviderButtons />
      {children}
      <p class="door__other">
        {other.question} <a href={other.href}>{other.text}</a>
      </p>
    </div>
  );
}

/** A wrong password is 401 as well, but "please log in first" would be a strange answer to it. */
function sentence(error: unknown, isNew: boolean): string {
  if (error instanceof ApiError && error.code === 'wrong-credentials' && !isNew) return t('auth.wrong');
  if (error instanceof ApiError && error.status === 409 && isNew) return t('error.email-taken');
  return explain(error);
}
