/** Who is here, and the one live connection that belongs to them. */

import {
  createApi,
  createHttp,
  Realtime,
  type Info,
  type LinkState,
  type SecondStep,
  type SignedIn,
  type User,
} from '@sicerdas/client';
import { batch, computed, signal } from '@preact/signals';
import { language, t } from './i18n.ts';
import { proveAnew } from './proof.ts';
import { remember } from './store.ts';
import { toast } from './toast.ts';

/** Mails come in the language of the page, whatever the browser prefers. */
const speaking: typeof fetch = (address, options) => {
  const headers = new Headers(options?.headers);
  headers.set('Accept-Language', language.value);
  return fetch(address, { ...options, headers });
};

export const api = createApi(createHttp('/api/v1', speaking, proveAnew));

/** `undefined` until the server has said who we are. */
export const me = signal<User | null | undefined>(undefined);
export const info = signal<Info | null>(null);
export const link = signal<LinkState>('connecting');
export const live = signal<Realtime | null>(null);

export const isStaff = computed(() => me.value?.role === 'moderator' || me.value?.role === 'admin');
export const isAdmin = computed(() => me.value?.role === 'admin');
export const canAuthor = computed(() => me.value?.role === 'teacher' || me.value?.role === 'admin');

const RETRY_START_MS = 2000;
const COOKIE_GRACE_MS = 250;
/** The close code of a session that was ended; other final codes would come again at once. */
const SESSION_ENDED = 3503;

export async function start(): Promise<void> {
  void api.info().then((value) => (info.value = value), () => undefined);
  try {
    become((await api.auth.session()).user);
  } catch {
    become(null);
    // No answer is not "nobody": ask again instead of pretending that the person is logged out.
    setTimeout(() => void start(), RETRY_START_MS);
  }
}

/** Null when one is in; else what the second step of the sign-in needs. */
export async function login(email: string, password: string): Promise<SecondStep | null> {
  return admitted(await api.auth.login(email, password));
}

/** Any door answers like this: somebody is in, or a second step is asked for. */
export async function admitted(answer: SignedIn): Promise<SecondStep | null> {
  if (answer.second_factor) return answer.second_factor;
  become(answer.user ?? (await api.users.me()));
  return null;
}

/** The session has other rights now: the socket's are those with which it connected. */
export async function rightsChanged(): Promise<void> {
  become(await api.users.me());
}

/** What a link in a mail did may have changed or ended this session. */
export async function refresh(): Promise<void> {
  const user = await whoIsHere();
  if (user === undefined) return;
  if (user?.id === me.value?.id) me.value = user;
  else become(user);
}

/** True when the new account is signed in at once; false when the address must be confirmed first. */
export async function signup(email: string, password: string, name: string): Promise<boolean> {
  await api.auth.signup(email, password, name);
  const { user } = await api.auth.session();
  become(user);
  return user !== null;
}

/** While one leaves on purpose, a closed socket is no news. */
let isLeaving = false;

export async function logout(): Promise<void> {
  isLeaving = true;
  try {
    await api.auth.logout();
    remember('conversation', null);
    become(null);
  } finally {
    isLeaving = false;
  }
}

/** Every session ends, also this one: its new cookie comes with the answer. */
export async function changePassword(current: string, next: string): Promise<void> {
  isLeaving = true;
  try {
    await api.auth.changePassword(current, next);
    become(await api.users.me());
  } finally {
    isLeaving = false;
  }
}

/** The socket's identity is fixed when it connects, so each change of person means a new socket. */
function become(user: User | null): void {
  live.value?.close();
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  batch(() => {
    me.value = user;
    link.value = 'connecting';
    live.value = new Realtime({
      endpoint: `${scheme}://${location.host}/connection/websocket`,
      onLink: (state) => (link.value = state),
      onTerminated: (code) => void afterTermination(code),
    });
  });
}

/** The server closed for good: usually the session was revoked. Find out, and say it. */
async function afterTermination(code: number): Promise<void> {
  if (!me.value || isLeaving) return;
  let user = await whoIsHere();
  if (user === null) {
    // Another tab may be changing the password: then the new cookie arrives in a moment.
    await new Promise((done) => setTimeout(done, COOKIE_GRACE_MS));
    user = await whoIsHere();
  }
  if (user === null) {
    toast(t('auth.ended'), 'warn');
    become(null);
  } else if (user && code === SESSION_ENDED) {
    become(user);
  }
}

/** `undefined` when the server does not say. */
async function whoIsHere(): Promise<User | null | undefined> {
  try {
    return (await api.auth.session()).user;
  } catch {
    return undefined;
  }
}
