/** One proof of who one is, in the way one has: password, code, recovery code or passkey. */

import { canUsePasskeys, usePasskey, type GivenProof, type PasskeyOptions, type Proof } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { Field } from './Field.tsx';

interface Props {
  ways: readonly Proof[];
  prove: (proof: GivenProof) => Promise<void>;
  askPasskey: () => Promise<PasskeyOptions>;
}

export function ProofForm({ ways, prove, askPasskey }: Props) {
  const usable = ways.filter((way) => way !== 'passkey' || canUsePasskeys());
  const chosen = useSignal<Proof | undefined>(usable[0]);
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  const way = chosen.value;
  if (!way) return <p>{t('proof.none')}</p>;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = String(new FormData(form).get('proof') ?? '');
    isBusy.value = true;
    problem.value = null;
    try {
      await prove(way === 'passkey' ? { method: way, credential: await usePasskey(await askPasskey()) } : proofOf(way!, text));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  return (
    <div class="proof">
      <form class="form" onSubmit={submit} key={way}>
        <Entry way={way} problem={problem.value === null ? undefined : refusal(problem.value)} />
        <button type="submit" class="button button--primary button--wide" disabled={isBusy.value}>
          {t(way === 'passkey' ? 'proof.passkey' : 'proof.confirm')}
        </button>
      </form>
      {usable.length > 1 && (
        <p class="proof__ways">
          {t('proof.otherWays')}{' '}
          {usable
            .filter((other) => other !== way)
            .map((other) => (
              <button
                key={other}
                type="button"
                class="link-button"
                onClick={() => {
                  chosen.value = other;
                  problem.value = null;
                }}
              >
                {t(`proof.way.${other}`)}
              </button>
            ))}
        </p>
      )}
    </div>
  );
}

function Entry({ way, problem }: { way: Proof; problem: string | undefined }) {
  if (way === 'passkey') {
    return (
      <>
        <p class="form__lead">{t('proof.passkeyWhy')}</p>
        {problem && (
          <p class="form__problem" role="alert">
            {problem}
          </p>
        )}
      </>
    );
  }
  if (way === 'password') {
    return <Field name="proof" type="password" label={t('proof.password')} autocomplete="current-password" problem={problem} required />;
  }
  const isTotp = way === 'totp';
  return (
    <Field
      name="proof"
      label={t(isTotp ? 'proof.totp' : 'proof.recovery')}
      hint={t(isTotp ? 'proof.totpHint' : 'proof.recoveryHint')}
      autocomplete={isTotp ? 'one-time-code' : 'off'}
      problem={problem}
      maxLength={64}
      required
      {...(isTotp ? { inputMode: 'numeric' as const } : {})}
    />
  );
}

function proofOf(method: Proof, text: string): GivenProof {
  return method === 'password' ? { method, password: text } : { method, code: text };
}

/** What the browser says when a person declines is for programmers. */
export function refusal(error: unknown): string {
  return error instanceof DOMException ? t('passkey.declined') : explain(error);
}
