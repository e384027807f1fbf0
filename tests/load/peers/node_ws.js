// node + ws + ioredis: one process, fan out channel "ch".  MODE=send (default) | raw (prebuilt frame)
// ANSWER=1: read `connect` and `subscribe` and answer them, and nothing else of the protocol
const { WebSocketServer, Sender } = require('ws'); const Redis = require('ioredis');
const wss = new WebSocketServer({ port: +process.env.PORT, host: '127.0.0.1', perMessageDeflate: process.env.DEFLATE ? true : false, backlog: 4096 });
const sub = new Redis(+process.env.REDIS, '127.0.0.1'); sub.subscribe(process.env.CHANNEL);
const { randomBytes } = require('crypto');
const reply = { connect: () => ({ connect: { client: randomBytes(13).toString('hex'), version: 'node', ping: 25, pong: true } }),
  subscribe: () => ({ subscribe: { recoverable: true, epoch: 'node', positioned: true } }) };
const answer = command => JSON.stringify({ id: command.id, ...(command.connect ? reply.connect() : reply.subscribe()) });
wss.on('connection', ws => {
  ws.on('error', () => {});
  if (process.env.ANSWER) ws.on('message', text => ws.send(text.toString().split('\n').map(line => answer(JSON.parse(line))).join('\n')));
});
if (process.env.MODE === 'raw') sub.on('messageBuffer', (c, m) => {
  const bufs = Sender.frame(m, { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true });
  const f = Buffer.concat(bufs); for (const ws of wss.clients) if (ws.readyState === 1) ws._socket.write(f);
}); else sub.on('messageBuffer', (c, m) => { for (const ws of wss.clients) if (ws.readyState === 1) ws.send(m, { binary: false }); });
