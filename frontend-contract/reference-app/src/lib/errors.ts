/** Turns whatever was thrown into a sentence for a tired person. */

import { ApiError, RpcError } from '@sicerdas/client';
import { knows, moment, t } from './i18n.ts';

const BY_STATUS: Record<number, string> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  412: 'precondition-failed',
  413: 'payload-too-large',
  429: 'too-many-requests',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

export function explain(error: unknown): string {
  if (error instanceof ApiError && error.code === 'account-deactivated') return closed(error);
  if (error instanceof ApiError) return sentence(error.code, BY_STATUS[error.status], error.message);
  if (error instanceof RpcError) return sentence(error.message, error.temporary ? 'unreachable' : undefined);
  return t('error.unknown');
}

/** A closed account: why, and until when, as far as that is told. */
function closed({ extra }: ApiError): string {
  const reason = typeof extra['reason'] === 'string' ? extra['reason'] : '';
  const until = typeof extra['until'] === 'string' ? extra['until'] : '';
  if (reason && until) return t('error.closedForUntil', { reason, date: moment(until) });
  if (until) return t('error.closedUntil', { date: moment(until) });
  return reason ? t('error.closedFor', { reason }) : t('error.account-deactivated');
}

/** The sentence for a stable code that arrived inside an event. */
export function explainCode(code: string): string {
  return sentence(code);
}

function sentence(code: string, fallback?: string, detail?: string): string {
  const own = `error.${code}`;
  if (knows(own) && code !== 'unknown') return t(own);
  const general = `error.${fallback}`;
  if (knows(general)) return t(general);
  return detail && detail !== code ? detail : t('error.unknown');
}
