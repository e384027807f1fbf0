/** The live side: one socket, shared subscriptions, and an honest word on how the connection is. */

import { Centrifuge, type Subscription, type TransportEndpoint } from 'centrifuge';

export type LinkState = 'connecting' | 'live' | 'offline' | 'closed';

export interface Watcher<S, E> {
  /** State that already contains everything up to now. Not called when a short gap was recovered event by event. */
  onSnapshot?: (data: S) => void;
  onEvent: (event: E) => void;
  /** The server refused the subscription; it will not be tried again. */
  onRefused?: (code: number) => void;
}

export interface RealtimeOptions {
  /** Of the WebSocket; where a network breaks it, streams over HTTP at the same host take its place. */
  endpoint: string;
  onLink?: (state: LinkState) => void;
  /** The server closed for good, or knows nobody here any more, for instance because the session ended. */
  onTerminated?: (code: number, reason: string) => void;
  /** For clients without a cookie: fetches a fresh 60 s token. */
  getToken?: () => Promise<string>;
}

/** A card scrolled out of sight and back within this time keeps its subscription. */
const LINGER_MS = 1500;
/** Up to here a lost connection is "reconnecting"; afterwards people are told that they are offline. */
const OFFLINE_AFTER_MS = 6000;

/** A late watcher is brought up to date from this many remembered events; past it, by a fresh snapshot. */
const REMEMBERED_EVENTS = 256;

/** The protocol's own number for "nobody is signed in". */
const UNAUTHORIZED = 101;

interface Shared {
  subscription: Subscription;
  watchers: Set<Watcher<never, never>>;
  snapshot: unknown;
  /** What came after the snapshot, so that a second watcher sees the same state as the first. */
  events: unknown[];
  linger: ReturnType<typeof setTimeout> | undefined;
}

export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly temporary: boolean,
  ) {
    super(message);
    this.name = 'RpcError';
  }
}

/** The HTTP address of the host whose WebSocket this is; undefined for an address of somebody else's choice. */
function hostOf(endpoint: string): string | undefined {
  const found = /^ws(s?:\/\/[^/]+)\/connection\/websocket$/.exec(endpoint);
  return found ? `http${found[1]}` : undefined;
}

/** What is tried, one after another, until something opens; from then on that is used. */
function waysIn({ endpoint, getToken }: RealtimeOptions, host: string): TransportEndpoint[] {
  const ways: TransportEndpoint[] = [
    { transport: 'websocket', endpoint },
    { transport: 'http_stream', endpoint: `${host}/connection/http_stream` },
  ];
  // Server-sent events say their first words in the address, where a token must not stand.
  if (!getToken) ways.push({ transport: 'sse', endpoint: `${host}/connection/sse` });
  return ways;
}

export class Realtime {
  readonly #client: Centrifuge;
  readonly #shared = new Map<string, Shared>();
  readonly #options: RealtimeOptions;
  #offlineTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: RealtimeOptions) {
    this.#options = options;
    const host = hostOf(options.endpoint);
    this.#client = new Centrifuge(host ? waysIn(options, host) : options.endpoint, {
      minReconnectDelay: 300,
      maxReconnectDelay: 10_000,
      ...(host ? { emulationEndpoint: `${host}/emulation` } : {}),
      ...(options.getToken ? { getToken: options.getToken } : {}),
    });
    this.#client.on('connected', () => this.#say('live'));
    this.#client.on('connecting', () => this.#say('connecting'));
    this.#client.on('disconnected', ({ code, reason }) => {
      this.#say('closed');
      if (!this.#closed) options.onTerminated?.(code, reason);
    });
    // Transport faults repeat at each attempt; the link state already tells them.
    this.#client.on('error', () => undefined);
    this.#client.connect();
  }

  /** Calls an rpc method; waits for the connection when it is being made. */
  async rpc<T>(method: string, data: unknown): Promise<T> {
    try {
      return (await this.#client.rpc(method, data)).data as T;
    } catch (error) {
      const { code = 0, message = 'unreachable', temporary = true } = error as Partial<RpcError>;
      throw new RpcError(code, message, temporary);
    }
  }

  /** Follows a channel until the returned function is called. Many watchers share one subscription. */
  watch<S, E>(channel: string, watcher: Watcher<S, E>): () => void {
    const entry = watcher as unknown as Watcher<never, never>;
    const shared = this.#shared.get(channel) ?? this.#open(channel);
    clearTimeout(shared.linger);
    shared.watchers.add(entry);
    if (shared.events.length > REMEMBERED_EVENTS) this.resync(channel);
    else this.#catchUp(shared, entry);
    return () => this.#leave(channel, entry);
  }

  /** Throws the held state away and asks for a fresh snapshot. */
  resync(channel: string): void {
    const shared = this.#shared.get(channel);
    if (!shared || shared.watchers.size === 0) return;
    const watchers = [...shared.watchers];
    this.#drop(channel, shared);
    const fresh = this.#open(channel);
    for (const watcher of watchers) fresh.watchers.add(watcher);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#offlineTimer);
    // First the socket: the server may be closing it already, and nothing more is to be said on it.
    this.#client.disconnect();
    for (const [channel, shared] of [...this.#shared]) this.#drop(channel, shared);
  }

  #open(channel: string): Shared {
    const subscription = this.#client.newSubscription(channel);
    const shared: Shared = { subscription, watchers: new Set(), snapshot: undefined, events: [], linger: undefined };
    this.#shared.set(channel, shared);
    subscription.on('subscribed', ({ data, recovered }) => {
      // After a recovery the missed events follow one by one, so what we hold stays true.
      if (recovered) return;
      shared.snapshot = data ?? undefined;
      shared.events = [];
      for (const watcher of shared.watchers) this.#catchUp(shared, watcher);
    });
    subscription.on('publication', ({ data }) => {
      if (shared.events.length <= REMEMBERED_EVENTS) shared.events.push(data);
      for (const watcher of [...shared.watchers]) watcher.onEvent(data as never);
    });
    subscription.on('unsubscribed', ({ code, reason }) => {
      // The connection came back without its session: the cookie had ended meanwhile.
      if (code === UNAUTHORIZED) this.#options.onTerminated?.(code, reason);
      // Codes from 100 up come from the server and are final; below are our own.
      if (code >= 100) for (const watcher of shared.watchers) watcher.onRefused?.(code);
    });
    subscription.on('error', () => undefined);
    subscription.subscribe();
    return shared;
  }

  #catchUp(shared: Shared, watcher: Watcher<never, never>): void {
    if (shared.snapshot !== undefined) watcher.onSnapshot?.(shared.snapshot as never);
    for (const event of [...shared.events]) watcher.onEvent(event as never);
  }

  #leave(channel: string, watcher: Watcher<never, never>): void {
    const shared = this.#shared.get(channel);
    if (!shared?.watchers.delete(watcher) || shared.watchers.size > 0) return;
    shared.linger = setTimeout(() => this.#drop(channel, shared), LINGER_MS);
  }

  #drop(channel: string, shared: Shared): void {
    clearTimeout(shared.linger);
    if (this.#shared.get(channel) === shared) this.#shared.delete(channel);
    shared.subscription.unsubscribe();
    shared.subscription.removeAllListeners();
    this.#client.removeSubscription(shared.subscription);
  }

  #say(state: LinkState): void {
    clearTimeout(this.#offlineTimer);
    this.#options.onLink?.(state);
    if (state === 'connecting') {
      this.#offlineTimer = setTimeout(() => this.#options.onLink?.('offline'), OFFLINE_AFTER_MS);
    }
  }
}
