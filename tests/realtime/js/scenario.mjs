// Drives the unmodified centrifuge client: node scenario.mjs URL SCENARIO TRANSPORT; prints one
// JSON result. URL is the WebSocket's; TRANSPORT is websocket, sse or http_stream.
// The server's side is moved by rpc methods that only the test server has.
import { Centrifuge } from 'centrifuge';

const [url, name, transport = 'websocket'] = process.argv.slice(2);
const DEADLINE_MS = 8000;

function once(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), DEADLINE_MS);
    emitter.once(event, (context) => {
      clearTimeout(timer);
      resolve(context);
    });
  });
}

async function until(condition) {
  const end = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function client(options = {}) {
  const base = url.replace(/^ws/, 'http').replace(/\/connection.*/, '');
  const endpoint = transport === 'websocket' ? url : `${base}/connection/${transport}`;
  return new Centrifuge([{ transport, endpoint }], {
    token: '7',
    minReconnectDelay: 10,
    maxReconnectDelay: 50,
    emulationEndpoint: `${base}/emulation`,
    ...options,
  });
}

async function connected(options) {
  const centrifuge = client(options);
  const context = once(centrifuge, 'connected');
  centrifuge.connect();
  await context;
  return centrifuge;
}

async function subscribed(centrifuge, channel, options) {
  const sub = centrifuge.newSubscription(channel, options);
  const seen = [];
  sub.on('publication', (context) => seen.push([context.offset, context.data]));
  const context = once(sub, 'subscribed');
  sub.subscribe();
  return { sub, seen, context: await context };
}

const scenarios = {
  async connect() {
    const centrifuge = client();
    const context = once(centrifuge, 'connected');
    centrifuge.connect();
    const { client: id, transport } = await context;
    const { data } = await centrifuge.rpc('who', null);
    centrifuge.disconnect();
    return { id, transport, who: data };
  },

  async fetchesToken() {
    const tokens = [];
    const getToken = async () => {
      tokens.push(tokens.length ? '7' : 'expired');
      return tokens.at(-1);
    };
    const centrifuge = await connected({ token: '', getToken });
    const { data } = await centrifuge.rpc('who', null);
    centrifuge.disconnect();
    return { tokens, who: data };
  },

  async refreshes() {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      return '7';
    };
    const centrifuge = await connected({ token: 'short', getToken });
    await until(() => asked > 0);
    const { data } = await centrifuge.rpc('who', null);
    centrifuge.disconnect();
    return { asked, who: data };
  },

  async invalidToken() {
    const centrifuge = client({ token: 'bad' });
    const gone = once(centrifuge, 'disconnected');
    centrifuge.connect();
    const { code, reason } = await gone;
    return { code, reason };
  },

  async subscribe() {
    const centrifuge = await connected();
    const { seen, context, sub } = await subscribed(centrifuge, 'log:1');
    for (let n = 0; n < 5; n += 1) await centrifuge.rpc('publish', { channel: 'log:1', data: n });
    await until(() => seen.length === 5);
    sub.unsubscribe();
    await centrifuge.rpc('publish', { channel: 'log:1', data: 99 });
    const second = centrifuge.newSubscription('user:8');
    const refused = once(second, 'unsubscribed');
    second.subscribe();
    const { code } = await refused;
    centrifuge.disconnect();
    return { seen, recoverable: context.recoverable, refused: code };
  },

  async recover() {
    const centrifuge = await connected();
    const { sub, seen } = await subscribed(centrifuge, 'log:1');
    await centrifuge.rpc('publish', { channel: 'log:1', data: 'before' });
    await until(() => seen.length === 1);
    const again = once(sub, 'subscribed');
    const other = await connected({ token: '8' });
    await other.rpc('cut', { user: '7' });
    for (let n = 0; n < 3; n += 1) await other.rpc('publish', { channel: 'log:1', data: n });
    const { wasRecovering, recovered } = await again;
    await until(() => seen.length === 4);
    await other.rpc('publish', { channel: 'log:1', data: 'after' });
    await until(() => seen.length === 5);
    centrifuge.disconnect();
    other.disconnect();
    return { seen, wasRecovering, recovered };
  },

  async unrecoverable() {
    const centrifuge = await connected();
    const { context } = await subscribed(centrifuge, 'log:1', {
      since: { offset: 1, epoch: 'another' },
    });
    centrifuge.disconnect();
    return { wasRecovering: context.wasRecovering, recovered: context.recovered, data: context.data };
  },

  async values() {
    const centrifuge = await connected();
    const { seen, context } = await subscribed(centrifuge, 'value:1');
    for (let n = 1; n <= 20; n += 1) {
      await centrifuge.rpc('publishValue', { channel: 'value:1', data: n, version: n });
    }
    await until(() => seen.length && seen.at(-1)[1] === 20);
    centrifuge.disconnect();
    return { seen: seen.map(([, data]) => data), initial: context.data };
  },

  async tail() {
    const centrifuge = await connected();
    const { seen } = await subscribed(centrifuge, 'tail:1');
    for (let n = 0; n < 5; n += 1) {
      await centrifuge.rpc('publishTail', { channel: 'tail:1', data: { pos: n } });
    }
    await until(() => seen.length === 5);
    const late = await connected();
    const { seen: all, sub } = await subscribed(late, 'tail:1');
    const { publications } = await sub.history({ limit: 10, since: { offset: 2, epoch: '' } });
    centrifuge.disconnect();
    late.disconnect();
    return { seen, late: all, history: publications.map((p) => p.offset) };
  },

  async presence() {
    const one = await connected();
    const { sub } = await subscribed(one, 'log:1', { joinLeave: true });
    const joins = [];
    const leaves = [];
    sub.on('join', (context) => joins.push(context.info.user));
    sub.on('leave', (context) => leaves.push(context.info.user));
    const two = await connected({ token: '8' });
    await subscribed(two, 'log:1');
    await until(() => joins.includes('8'));
    const { clients } = await sub.presence();
    const stats = await sub.presenceStats();
    two.disconnect();
    await until(() => leaves.includes('8'));
    one.disconnect();
    const users = Object.values(clients).map((info) => info.user);
    return { users: users.sort(), clients: stats.numClients, numUsers: stats.numUsers };
  },

  async errors() {
    const centrifuge = await connected();
    const code = (promise) => promise.then(() => 0, (error) => error.code);
    const result = {
      missing: await code(centrifuge.rpc('missing', {})),
      refused: await code(centrifuge.rpc('refuse', {})),
      crash: await code(centrifuge.rpc('crash', {})),
      publish: await code(centrifuge.publish('log:1', {})),
      presence: await code(centrifuge.presence('log:1')),
    };
    centrifuge.disconnect();
    return result;
  },

  async kicked() {
    const centrifuge = await connected();
    const gone = once(centrifuge, 'disconnected');
    const other = await connected({ token: '8' });
    await other.rpc('kick', { user: '7' });
    const { code } = await gone;
    other.disconnect();
    return { code };
  },

  async resubscribes() {
    const centrifuge = await connected();
    const { sub, seen } = await subscribed(centrifuge, 'log:1');
    const again = once(sub, 'subscribing');
    await centrifuge.rpc('newEpoch', {});
    const { code } = await again;
    await once(sub, 'subscribed');
    await centrifuge.rpc('publish', { channel: 'log:1', data: 'new' });
    await until(() => seen.length === 1);
    centrifuge.disconnect();
    return { code, seen: seen.map(([, data]) => data) };
  },

  async pings() {
    const centrifuge = await connected();
    await until(() => centrifuge._serverPing === 1000);
    await new Promise((resolve) => setTimeout(resolve, 2600));
    const state = centrifuge.state;
    centrifuge.disconnect();
    return { state };
  },

  async serverSide() {
    const centrifuge = client({ token: 'enrolled' });
    const seen = [];
    const events = [];
    for (const event of ['subscribed', 'join', 'publication', 'unsubscribed']) {
      centrifuge.on(event, (context) => {
        if (event === 'publication') seen.push([context.offset, context.data]);
        else events.push(`${event} ${context.channel}`);
      });
    }
    const context = once(centrifuge, 'connected');
    centrifuge.connect();
    const { data } = await context;
    await centrifuge.rpc('publish', { channel: 'log:own', data: 1 });
    await until(() => seen.length === 1);
    const other = await connected({ token: '8' });
    const again = once(centrifuge, 'connected');
    await other.rpc('cut', { user: 'enrolled' });
    await other.rpc('publish', { channel: 'log:own', data: 2 });
    await again;
    await until(() => seen.length === 2);
    await other.rpc('enrol', { user: 'enrolled', channel: 'log:more' });
    await until(() => events.includes('subscribed log:more'));
    await other.rpc('publish', { channel: 'log:more', data: 3 });
    await until(() => seen.length === 3);
    await other.rpc('expel', { user: 'enrolled', channel: 'log:more' });
    await until(() => events.includes('unsubscribed log:more'));
    centrifuge.disconnect();
    other.disconnect();
    return { data, seen };
  },

  async expelled() {
    const centrifuge = await connected();
    const { sub } = await subscribed(centrifuge, 'log:1');
    const gone = once(sub, 'unsubscribed');
    await centrifuge.rpc('expel', { user: '7', channel: 'log:1' });
    const { code } = await gone;
    await once(sub.subscribe() ?? sub, 'subscribed');
    centrifuge.disconnect();
    return { code };
  },

  async told() {
    const centrifuge = await connected();
    const message = once(centrifuge, 'message');
    await centrifuge.send({ question: 1 });
    const { data } = await message;
    centrifuge.disconnect();
    return { data };
  },

  async publishes() {
    const centrifuge = await connected();
    const { sub } = await subscribed(centrifuge, 'talk:1');
    const heard = once(sub, 'publication');
    await sub.publish({ text: 'hello' });
    const { data, info } = await heard;
    const newest = await sub.history({ limit: 1, reverse: true });
    centrifuge.disconnect();
    return { data, user: info.user, newest: newest.publications.map((p) => p.data) };
  },

  async deltas() {
    const centrifuge = await connected();
    const { sub, seen } = await subscribed(centrifuge, 'talk:1', { delta: 'fossil' });
    const text = 'Ünïcode ✓ '.repeat(40);
    const publish = (n) => sub.publish({ n, text: text + n });
    for (const n of [1, 2, 3]) await publish(n);
    await until(() => seen.length === 3);
    const other = await connected({ token: '8' });
    const again = once(sub, 'subscribed');
    await other.rpc('cut', { user: '7' });
    for (const n of [4, 5]) await other.publish('talk:1', { n, text: text + n });
    const { recovered } = await again;
    await until(() => seen.length === 5);
    for (const n of [6, 7]) await other.publish('talk:1', { n, text: text + n });
    await until(() => seen.length === 7);
    const { numFullPayloads, numDeltaPayloads } = sub.deltaStats();
    centrifuge.disconnect();
    other.disconnect();
    const intact = seen.every(([offset, data]) => data.n === offset && data.text === text + offset);
    return { recovered, intact, numFullPayloads, numDeltaPayloads };
  },

  async grants() {
    const centrifuge = await connected();
    const without = centrifuge.newSubscription('secret:1');
    const refused = once(without, 'unsubscribed');
    without.subscribe();
    const { code } = await refused;
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      return asked === 1 ? 'expired' : 'short';
    };
    const { sub } = await subscribed(centrifuge, 'secret:2', { getToken });
    await until(() => asked >= 3);
    const state = sub.state;
    centrifuge.disconnect();
    return { code, state };
  },

  async many() {
    const centrifuge = await connected();
    const all = [];
    for (let n = 0; n < 60; n += 1) all.push(subscribed(centrifuge, `log:${n}`));
    await Promise.all(all);
    centrifuge.disconnect();
    return { subscribed: all.length };
  },
};

try {
  console.log(JSON.stringify(await scenarios[name]()));
} catch (error) {
  console.log(JSON.stringify({ failed: String(error?.stack ?? JSON.stringify(error)) }));
  process.exitCode = 1;
}
process.exit();
