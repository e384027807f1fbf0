/** Who is here, and the one live connection that belongs to them. */

import {
  createApi,
  createHttp,
  Realtime,
  type Info,
  type LinkState,
  type OwnEvent,
  type SecondStep,
  type SignedIn,
  type User,
  type Visitor,
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
/** The admin who is here in this person's name. */
export const impersonator = signal<number | null>(null);
export const info = signal<Info | null>(null);
export const link = signal<LinkState>('connecting');
export const live = signal<Realtime | null>(null);

/** The rights of the role rest until this session has given a second factor. */
export const owesSecondFactor = signal(false);

const office = computed(() => (owesSecondFactor.value ? 'user' : me.value?.role));
export const isStaff = computed(() => office.value === 'moderator' || office.value === 'admin');
export const isAdmin = computed(() => office.value === 'admin');
export const canAuthor = computed(() => office.value === 'teacher' || office.value === 'admin');

const NOBODY: Visitor = { user: null };
const RETRY_START_MS = 2000;
const COOKIE_GRACE_MS = 250;
/** The close code of a session that was ended; other final codes would come again at once. */
const SESSION_ENDED = 3503;

export async function start(): Promise<void> {
  void api.info().then((value) => (info.value = value), () => undefined);
  try {
    become(await api.auth.session());
  } catch {
    become(NOBODY);
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
  await rightsChanged();
  return null;
}

/** The session is another one, or has other rights: the socket's are those with which it connected. */
export async function rightsChanged(): Promise<void> {
  become(await api.auth.session());
}

/** What a link in a mail did may have changed or ended this session. */
export async function refresh(): Promise<void> {
  const visitor = await whoIsHere();
  if (visitor === undefined) return;
  if (visitor.user?.id === me.value?.id) me.value = visitor.user;
  else become(visitor);
}

/** True when the new account is signed in at once; false when the address must be confirmed first. */
export async function signup(email: string, password: string, name: string): Promise<boolean> {
  await api.auth.signup(email, password, name);
  await rightsChanged();
  return me.value !== null;
}

export async function logout(): Promise<void> {
  // The socket first: the server closes it at once, and a page that opens meanwhile would go on speaking on it.
  live.value?.close();
  try {
    await api.auth.logout();
  } catch (error) {
    become({ user: me.value ?? null, impersonator_id: impersonator.value, owes_second_factor: owesSecondFactor.value });
    throw error;
  }
  remember('conversation', null);
  become(NOBODY);
}

/** While one leaves on purpose, a closed socket is no news. */
let isLeaving = false;

/** All sessions end with the account. */
export async function deleteAccount(): Promise<void> {
  isLeaving = true;
  try {
    await api.users.deleteMe();
    remember('conversation', null);
    become(NOBODY);
  } finally {
    isLeaving = false;
  }
}

/** Every session ends, also this one: its new cookie comes with the answer. */
export async function changePassword(current: string, next: string): Promise<void> {
  isLeaving = true;
  try {
    await api.auth.changePassword(current, next);
    await rightsChanged();
  } finally {
    isLeaving = false;
  }
}

/** An admin enters in somebody's name; the cookie of their own session waits beside the other. */
export async function impersonate(id: number, reason: string): Promise<void> {
  await changeOfPerson(() => api.users.impersonate(id, reason));
}

/** Back to the admin's own account. */
export async function endImpersonation(): Promise<void> {
  await changeOfPerson(() => api.auth.endImpersonation());
}

async function changeOfPerson(act: () => Promise<unknown>): Promise<void> {
  isLeaving = true;
  try {
    await act();
    remember('conversation', null);
    become(await api.auth.session());
  } finally {
    isLeaving = false;
  }
}

/** The socket's identity is fixed when it connects, so each change of person means a new socket. */
function become({ user, impersonator_id = null, owes_second_factor = false }: Visitor): void {
  live.value?.close();
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  batch(() => {
    me.value = user;
    impersonator.value = impersonator_id;
    owesSecondFactor.value = owes_second_factor;
    link.value = 'connecting';
    live.value = new Realtime({
      endpoint: `${scheme}://${location.host}/connection/websocket`,
      onLink: (state) => (link.value = state),
      onTerminated: (code) => void afterTermination(code),
    });
  });
  if (user && impersonator_id === null) live.value?.watch<unknown, OwnEvent>(`user:${user.id}`, { onEvent: hear });
}

/** What happens to one's own account while one looks. */
function hear(event: OwnEvent): void {
  if (event.type === 'user.impersonated') toast(t('visit.told', { reason: event.reason }), 'warn');
}

/** The server closed for good: usually the session was revoked. Find out, and say it. */
async function afterTermination(code: number): Promise<void> {
  if (!me.value || isLeaving) return;
  let visitor = await whoIsHere();
  if (visitor?.user === null) {
    // Another tab may be changing the password: then the new cookie arrives in a moment.
    await new Promise((done) => setTimeout(done, COOKIE_GRACE_MS));
    visitor = await whoIsHere();
  }
  if (visitor?.user === null) {
    toast(t('auth.ended'), 'warn');
    become(NOBODY);
  } else if (visitor && code === SESSION_ENDED) {
    become(visitor);
  }
}

/** `undefined` when the server does not say. */
async function whoIsHere(): Promise<Visitor | undefined> {
  try {
    return await api.auth.session();
  } catch {
    return undefined;
  }
}
