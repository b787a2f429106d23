// The graphql-ws client against the server: what each call gave.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [, url, token] = process.argv.slice(2);
const client = (authorization, more = {}) =>
  createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { authorization }, ...more });

async function collect(source, request) {
  const seen = [];
  try {
    for await (const result of source.iterate(request)) seen.push(result);
  } catch (failure) {
    return { seen, failure: failure.code ?? failure.map?.(({ message }) => message) ?? String(failure) };
  }
  return { seen };
}

const good = client(`Bearer ${token}`);
const results = {
  subscription: await collect(good, { query: 'subscription { countdown(start: 3) }' }),
  query: await collect(good, { query: '{ hello }' }),
  mutation: await collect(good, { query: 'mutation ($v: Int!) { setValue(value: $v) }', variables: { v: 7 } }),
  invalid: await collect(good, { query: '{ nothing }' }),
  syntax: await collect(good, { query: '{ hello' }),
  together: await Promise.all([1, 2].map((start) => collect(good, { query: `subscription { countdown(start: ${start}) }` }))),
  badToken: await collect(client('Bearer wrong'), { query: '{ hello }' }),
  noToken: await collect(client(undefined), { query: '{ hello }' }),
};
await good.dispose();

let pongs = 0;
const lively = client(`Bearer ${token}`, { keepAlive: 50, lazy: false, on: { pong: () => (pongs += 1) } });
await new Promise((resolve) => lively.on('pong', resolve));
results.pongs = pongs > 0;
await lively.dispose();
console.log(JSON.stringify(results));
