/** An authenticator app: set up with a picture and a first code, and removed again. */

import type { TotpStarted } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { count, date, t } from '../lib/i18n.ts';
import { api } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Confirm } from './Dialog.tsx';
import type { PartProps } from './FactorSections.tsx';
import { Field } from './Field.tsx';

export function AuthenticatorApp({ factors, onChanged }: PartProps) {
  const started = useSignal<TotpStarted | null>(null);
  const isAsking = useSignal(false);

  async function attempt(act: () => Promise<void>) {
    try {
      await act();
    } catch (error) {
      toast(explain(error), 'warn');
    }
  }

  const start = () => attempt(async () => void (started.value = await api.auth.startTotp()));
  const renew = () => attempt(async () => onChanged((await api.auth.renewRecoveryCodes()).recovery_codes));
  const remove = () =>
    attempt(async () => {
      await api.auth.disableTotp();
      toast(t('factors.disabled'));
      onChanged();
    });

  if (started.value) {
    return (
      <FirstCode
        started={started.value}
        onEnabled={(codes) => {
          started.value = null;
          toast(t('factors.enabled'));
          onChanged(codes);
        }}
      />
    );
  }
  const hasFactor = factors.totp_enabled_at !== null || factors.passkeys.length > 0;
  return (
    <div class="factor">
      <p>{factors.totp_enabled_at ? t('factors.since', { date: date(factors.totp_enabled_at) }) : t('factors.why')}</p>
      {hasFactor && <p class="form__lead">{count('factors.codesLeft', factors.recovery_codes_left)}</p>}
      <div class="form__actions">
        {!factors.totp_enabled_at && (
          <button type="button" class="button" onClick={start}>
            {t('factors.start')}
          </button>
        )}
        {hasFactor && (
          <button type="button" class="button" onClick={renew}>
            {t('factors.renew')}
          </button>
        )}
        {factors.totp_enabled_at && (
          <button type="button" class="button button--danger" onClick={() => (isAsking.value = true)}>
            {t('factors.disable')}
          </button>
        )}
      </div>
      {isAsking.value && (
        <Confirm
          question={t('factors.disableSure')}
          action={t('factors.disable')}
          onConfirm={() => void remove()}
          onClose={() => (isAsking.value = false)}
        />
      )}
    </div>
  );
}

function FirstCode({ started, onEnabled }: { started: TotpStarted; onEnabled: (codes: readonly string[]) => void }) {
  const problem = useSignal<unknown>(null);
  const picture = `data:image/svg+xml,${encodeURIComponent(started.qr_svg)}`;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget as HTMLFormElement).get('code') ?? '');
    problem.value = null;
    try {
      onEnabled((await api.auth.enableTotp(code)).recovery_codes ?? []);
    } catch (error) {
      problem.value = error;
    }
  }

  return (
    <form class="form factor" onSubmit={submit}>
      <p>{t('factors.scan')}</p>
      <div class="factor__secret">
        <img class="factor__picture" src={picture} alt={t('factors.picture')} width="196" height="196" />
        <dl>
          <dt>{t('factors.key')}</dt>
          <dd>
            <code class="factor__key">{started.secret.match(/.{1,4}/g)?.join(' ')}</code>
          </dd>
        </dl>
      </div>
      <Field
        name="code"
        label={t('factors.code')}
        autocomplete="one-time-code"
        inputMode="numeric"
        maxLength={10}
        problem={problem.value === null ? undefined : explain(problem.value)}
        required
      />
      <div class="form__actions">
        <button type="submit" class="button button--primary">
          {t('factors.enable')}
        </button>
      </div>
    </form>
  );
}
