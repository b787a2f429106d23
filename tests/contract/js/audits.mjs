// The graphql-http audits: what the GraphQL over HTTP specification asks of a server.
import { serverAudits } from 'graphql-http';

const [url, , token] = process.argv.slice(2);
const fetchFn = (target, init = {}) =>
  fetch(target, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, ...(reason ? { reason } : {}) });
}
console.log(JSON.stringify(results));
