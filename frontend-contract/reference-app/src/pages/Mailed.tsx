/** Where mails lead: confirm an address, set a password, log in; without a link, ask for one. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, type KeptWay, type SecondStep } from '@sicerdas/client';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { takeToken } from '../lib/mailed.ts';
import { useTitle } from '../lib/page.ts';
import { admitted, api, me, refresh } from '../lib/session.ts';
import { nameOf } from '../lib/text.ts';
import { toast } from '../lib/toast.ts';
import { Field } from '../ui/Field.tsx';
import { Mark } from '../ui/icons.tsx';
import { KeptWays } from '../ui/KeptWays.tsx';
import { MailRequest, ToLogin } from '../ui/MailRequest.tsx';
import { SecondStepForm } from '../ui/SecondStepForm.tsx';

const MIN_PASSWORD = 8;
const PASSWORD_FAULTS: ReadonlySet<string> = new Set(['password-too-common', 'wrong-password']);

const ASKED: Readonly<Record<string, 'chosen' | 'owner'>> = { 'password-needed': 'chosen', 'owner-needed': 'owner' };

export function Verify() {
  const [token] = useState(takeToken);
  const done = useSignal('');
  const kept = useSignal<readonly KeptWay[]>([]);
  /** This browser did not sign up, or is not the account's that moves: whose password counts? */
  const asks = useSignal<'nothing' | 'chosen' | 'another' | 'owner'>('nothing');
  useTitle(t('verify.title'));
  if (!token) {
    const send = (email: string) => api.auth.sendVerification(email);
    return <MailRequest title={t('verify.title')} ask={t('verify.ask')} action={t('verify.send')} send={send} />;
  }
  if (done.value) {
    return (
      <div class="door">
        <Mark />
        <h1>{t('verify.title')}</h1>
        <p role="status">{done.value}</p>
        <KeptWays ways={kept.value} />
        {me.value ? <a href="/">{t('mailed.home')}</a> : <ToLogin />}
      </div>
    );
  }
  if (asks.value === 'another') return <NewPassword token={token} why={t('verify.anotherWhy')} />;

  async function confirm(data: FormData) {
    const password = data.get('password');
    try {
      const answer = await api.auth.verifyEmail(token, password === null ? undefined : String(password));
      kept.value = answer.kept;
      done.value = t(`verify.${answer.done}`);
    } catch (error) {
      const asked = error instanceof ApiError ? ASKED[error.code] : undefined;
      if (!asked) throw error;
      asks.value = asked;
      return;
    }
    await refresh();
  }

  const asked = asks.value;
  return (
    <OneStep
      title={t('verify.title')}
      why={t(asked === 'nothing' ? 'verify.why' : `verify.${asked}Why`)}
      action={t('verify.act')}
      act={confirm}
      fieldOf={
        asked === 'nothing'
          ? undefined
          : (words) => (
              <>
                <Field
                  name="password"
                  type="password"
                  label={t(`verify.${asked}`)}
                  autocomplete="current-password"
                  problem={words}
                  required
                />
                {asked === 'chosen' && (
                  <button type="button" class="button button--quiet" onClick={() => (asks.value = 'another')}>
                    {t('verify.another')}
                  </button>
                )}
              </>
            )
      }
    />
  );
}

export function Forgot() {
  useTitle(t('forgot.title'));
  const send = (email: string) => api.auth.sendPasswordReset(email);
  return <MailRequest title={t('forgot.title')} ask={t('forgot.ask')} action={t('forgot.send')} send={send} />;
}

export function Reset() {
  const [token] = useState(takeToken);
  useTitle(t('reset.title'));
  return token ? <NewPassword token={token} why={t('reset.why')} /> : <Forgot />;
}

function NewPassword({ token, why }: { token: string; why: string }) {
  const { route } = useLocation();
  return (
    <OneStep
      title={t('reset.title')}
      why={why}
      action={t('reset.act')}
      fieldOf={(words) => (
        <Field
          name="password"
          type="password"
          label={t('password.new')}
          hint={t('auth.passwordHint')}
          autocomplete="new-password"
          minLength={MIN_PASSWORD}
          problem={words}
          required
        />
      )}
      act={async (data) => {
        await api.auth.resetPassword(token, String(data.get('password')));
        await refresh();
        toast(t('reset.done'));
        route('/login', true);
      }}
    />
  );
}

export function SignInByMail() {
  const [token] = useState(takeToken);
  const { route } = useLocation();
  const step = useSignal<SecondStep | null>(null);
  useTitle(t('magic.title'));

  function enter() {
    if (me.value) toast(t('auth.welcome', { name: nameOf(me.value) }));
    route('/', true);
  }

  if (step.value) return <SecondStepForm step={step.value} onIn={enter} onRestart={() => route('/login', true)} />;
  if (!token) {
    const send = (email: string) => api.auth.sendSignInLink(email);
    return <MailRequest title={t('magic.title')} ask={t('magic.ask')} action={t('magic.send')} send={send} />;
  }
  return (
    <OneStep
      title={t('magic.title')}
      why={t('magic.why')}
      action={t('magic.act')}
      act={async () => {
        step.value = await admitted(await api.auth.signInByMail(token));
        if (!step.value) enter();
      }}
    />
  );
}

interface Step {
  title: string;
  why: string;
  action: string;
  act: (data: FormData) => Promise<void>;
  /** A field of the form, given what is wrong with what stands in it. */
  fieldOf?: ((problem: string | undefined) => ComponentChildren) | undefined;
}

/** A person presses the button: programs that open every link of a mail do not use it up. */
function OneStep({ title, why, action, act, fieldOf }: Step) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    isBusy.value = true;
    problem.value = null;
    try {
      await act(new FormData(event.currentTarget as HTMLFormElement));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  const fault = problem.value;
  const isField = fault instanceof ApiError && (PASSWORD_FAULTS.has(fault.code) || fault.fields.has('password'));
  const words = fault === null ? undefined : explain(fault);
  return (
    <div class="door">
      <Mark />
      <h1>{title}</h1>
      <p class="door__other">{why}</p>
      <form class="form" onSubmit={submit}>
        {fieldOf?.(isField ? words : undefined)}
        {words && !isField && (
          <p class="form__problem" role="alert">
            {words}
          </p>
        )}
        <button type="submit" class="button button--primary button--wide" disabled={isBusy.value}>
          {action}
        </button>
      </form>
      {!me.value && <ToLogin />}
    </div>
  );
}
