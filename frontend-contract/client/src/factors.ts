/** Second factors over REST, and the browser's own passkey ceremonies. */

import type { Http } from './http.ts';
import type { FactorAdded, Factors, PasskeyOptions, PasskeyView, Proof, RecoveryCodes, SignedIn, TotpStarted } from './types.ts';

/** What somebody gives to prove who they are: one of the three, as the method asks. */
export interface GivenProof {
  method: Proof;
  password?: string;
  code?: string;
  credential?: Record<string, unknown>;
}

export function factorCalls(http: Http) {
  const send = <T>(path: string, body: unknown = {}) => http.call<T>('POST', path, { body });
  return {
    factors: () => http.call<Factors>('GET', '/auth/factors'),
    /** The second step of a sign-in; `token` came with the answer to the first. */
    giveSecondFactor: (token: string, proof: GivenProof) => send<SignedIn>('/auth/second-factor', { token, ...proof }),
    passkeyForSecondFactor: (token: string) => send<PasskeyOptions>('/auth/second-factor/passkey', { token }),
    confirm: (proof: GivenProof) => send<SignedIn>('/auth/confirm', proof),
    passkeyForConfirm: () => send<PasskeyOptions>('/auth/confirm/passkey'),
    startTotp: () => send<TotpStarted>('/auth/totp'),
    enableTotp: (code: string) => send<FactorAdded>('/auth/totp/enable', { code }),
    disableTotp: () => http.call<void>('DELETE', '/auth/totp'),
    renewRecoveryCodes: () => send<RecoveryCodes>('/auth/recovery-codes'),
    startPasskey: () => send<PasskeyOptions>('/auth/passkeys/registration'),
    addPasskey: (name: string, credential: Record<string, unknown>) =>
      send<FactorAdded>('/auth/passkeys', { name, credential }),
    renamePasskey: (id: string, name: string) => http.call<PasskeyView>('PUT', `/auth/passkeys/${id}`, { body: { name } }),
    removePasskey: (id: string) => http.call<void>('DELETE', `/auth/passkeys/${id}`),
    passkeyForSignIn: () => send<PasskeyOptions>('/auth/passkeys/sign-in/options'),
    signInWithPasskey: (credential: Record<string, unknown>) => send<SignedIn>('/auth/passkeys/sign-in', { credential }),
  };
}

/** Whether this browser can make and use passkeys on this page (WebAuthn level 3, in a secure context). */
export function canUsePasskeys(): boolean {
  const isAble = typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;
  return isAble && !isNumericAddress();
}

/** Passkeys belong to a domain, which `127.0.0.1` is not (WebAuthn level 3, 5.1.3). */
export function isNumericAddress(): boolean {
  return /^[\d.]+$|^\[/.test(location.hostname);
}

/** Lets the browser make a passkey. Rejects with the browser's DOMException when the person declines. */
export async function makePasskey(options: PasskeyOptions): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options.public_key as unknown as PublicKeyCredentialCreationOptionsJSON,
  );
  return asJson(await navigator.credentials.create({ publicKey }));
}

/** Lets a passkey sign. Rejects with the browser's DOMException when the person declines. */
export async function usePasskey(options: PasskeyOptions): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options.public_key as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  return asJson(await navigator.credentials.get({ publicKey }));
}

/** Whether the browser can offer passkeys among what it knows to fill in (WebAuthn level 3, 5.1.4). */
export async function canOfferPasskeys(): Promise<boolean> {
  return canUsePasskeys() && ((await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false);
}

/**
 * Offers passkeys in a field with `autocomplete="username webauthn"`, and waits until one is picked there;
 * null when `signal` ends the offer.
 */
export async function offerPasskey(options: PasskeyOptions, signal: AbortSignal): Promise<Record<string, unknown> | null> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options.public_key as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  try {
    return asJson(await navigator.credentials.get({ publicKey, mediation: 'conditional', signal }));
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function asJson(credential: Credential | null): Record<string, unknown> {
  if (!(credential instanceof PublicKeyCredential)) throw new DOMException('no passkey', 'NotAllowedError');
  return credential.toJSON() as Record<string, unknown>;
}
