// The graphql-sse client against the server, in distinct connections mode: what each call gave.
import { createClient } from 'graphql-sse';

const [url, , token] = process.argv.slice(2);
const client = (authorization) =>
  createClient({ url, retryAttempts: 0, headers: { ...(authorization ? { authorization } : {}) } });

async function collect(source, request) {
  const seen = [];
  try {
    for await (const result of source.iterate(request)) seen.push(result);
  } catch (failure) {
    return { seen, status: failure.response?.status, failure: failure.message };
  }
  return { seen };
}

const good = client(`Bearer ${token}`);
const results = {
  subscription: await collect(good, { query: 'subscription { countdown(start: 3) }' }),
  query: await collect(good, { query: '{ hello }' }),
  mutation: await collect(good, { query: 'mutation { setValue(value: 8) }' }),
  invalid: await collect(good, { query: '{ nothing }' }),
  noToken: await collect(client(), { query: '{ hello }' }),
};

const watching = good.iterate({ query: 'subscription { ticks { number } }' });
const first = watching.next();
const push = (value) =>
  fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: `mutation { push(value: ${value}) }` }),
  });
await push(41);
results.watched = (await first).value;
await watching.return();
good.dispose();
console.log(JSON.stringify(results));
