/** The doors that mail opens. Asking is answered alike for every address. */

import type { Http } from './http.ts';
import type { AddressConfirmed, SignedIn } from './types.ts';

export function mailedCalls(http: Http) {
  const send = <T>(path: string, body: unknown) => http.call<T>('POST', path, { body });
  return {
    sendVerification: (email: string) => send<unknown>('/auth/verify-email/send', { email }),
    /** The token of a mailed link, from the fragment of its address; each works once. */
    verifyEmail: (token: string, password?: string) =>
      send<AddressConfirmed>('/auth/verify-email', { token, ...(password === undefined ? {} : { password }) }),
    sendPasswordReset: (email: string) => send<unknown>('/auth/password-reset/send', { email }),
    resetPassword: (token: string, password: string) => send<void>('/auth/password-reset', { token, password }),
    sendSignInLink: (email: string) => send<unknown>('/auth/magic-link/send', { email }),
    signInByMail: (token: string) => send<SignedIn>('/auth/magic-link', { token }),
    /** Another address for one's account; it counts once its mailbox has confirmed it. */
    changeEmail: (email: string) => send<unknown>('/users/me/email', { email }),
  };
}
