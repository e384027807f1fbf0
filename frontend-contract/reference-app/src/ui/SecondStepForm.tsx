/** The second step at the door. */

import { ApiError, type GivenProof, type SecondStep } from '@sicerdas/client';
import { t } from '../lib/i18n.ts';
import { admitted, api } from '../lib/session.ts';
import { Mark } from './icons.tsx';
import { ProofForm } from './ProofForm.tsx';

interface Props {
  step: SecondStep;
  onIn: () => void;
  /** Back to the first step: by choice, or because this one waited too long. */
  onRestart: (problem: unknown) => void;
}

export function SecondStepForm({ step, onIn, onRestart }: Props) {
  async function prove(proof: GivenProof) {
    try {
      await admitted(await api.auth.giveSecondFactor(step.token, proof));
    } catch (error) {
      if (error instanceof ApiError && error.code === 'second-step-expired') return onRestart(error);
      throw error;
    }
    onIn();
  }

  return (
    <div class="door">
      <Mark />
      <h1>{t('step.title')}</h1>
      <p class="door__other">{t('step.why')}</p>
      <ProofForm ways={step.methods} prove={prove} askPasskey={() => api.auth.passkeyForSecondFactor(step.token)} />
      <p class="door__other">
        <button type="button" class="link-button" onClick={() => onRestart(null)}>
          {t('step.back')}
        </button>
      </p>
    </div>
  );
}
