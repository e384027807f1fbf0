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
import { t } from './i18n.ts';
import { proveAnew } from './proof.ts';
import { remember } from './store.ts';
import { toast } from './toast.ts';

export const api = createApi(createHttp('/api/v1', undefined, proveAnew));

/** `undefined` until the server has said who we are. */
export const me = signal<User | null | undefined>(undefined);
/** The admin who is here in this person's name. */
export const impersonator = signal<number | null>(null);
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
    arrive(await api.auth.session());
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

/** True when the new account is signed in at once; false when the address must be confirmed first. */
export async function signup(email: string, password: string, name: string): Promise<boolean> {
  await api.auth.signup(email, password, name);
  const visitor = await api.auth.session();
  arrive(visitor);
  return visitor.user !== null;
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
    arrive(await api.auth.session());
  } finally {
    isLeaving = false;
  }
}

function arrive({ user, impersonator_id }: Visitor): void {
  become(user, impersonator_id);
}

/** The socket's identity is fixed when it connects, so each change of person means a new socket. */
function become(user: User | null, impersonatorId: number | null = null): void {
  live.value?.close();
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  batch(() => {
    me.value = user;
    impersonator.value = impersonatorId;
    link.value = 'connecting';
    live.value = new Realtime({
      endpoint: `${scheme}://${location.host}/connection/websocket`,
      onLink: (state) => (link.value = state),
      onTerminated: (code) => void afterTermination(code),
    });
  });
  if (user && impersonatorId === null) live.value?.watch<unknown, OwnEvent>(`user:${user.id}`, { onEvent: hear });
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
    become(null);
  } else if (visitor && code === SESSION_ENDED) {
    arrive(visitor);
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
