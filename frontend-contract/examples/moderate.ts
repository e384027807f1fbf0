/** The moderators' queue with the official SDK and the generated types. */

import { Centrifuge } from 'centrifuge';
import type { paths } from '../client/openapi.d.ts';
import type { Realtime } from '../client/realtime.d.ts';

type Queue = Realtime['channels']['moderation:queue'];
type Token = paths['/api/v1/realtime/token']['get']['responses']['200']['content']['application/json'];

export function watchQueue(address: string, bearer: string, show: (state: Queue['snapshot'] | Queue['event']) => void) {
  const client = new Centrifuge(`${address.replace('http', 'ws')}/connection/websocket`, {
    getToken: async () => {
      const answer = await fetch(`${address}/api/v1/realtime/token`, { headers: { authorization: `Bearer ${bearer}` } });
      return ((await answer.json()) as Token).token;
    },
  });
  const queue = client.newSubscription('moderation:queue');
  // After a short cut the missed events follow one by one; otherwise a fresh state comes.
  queue.on('subscribed', ({ recovered, data }) => recovered || show(data as Queue['snapshot']));
  queue.on('publication', ({ data }) => show(data as Queue['event']));
  queue.subscribe();
  client.connect();
  return () => client.disconnect();
}
