// Starts GraphiQL on this page's own address: changes when a tab's requests are sent otherwise.
'use strict';

(() => {
  const AUTHORIZATION = 'weir.authorization';
  const place = document.getElementById('graphiql');
  const address = new URL(window.location.href);
  address.search = address.hash = '';
  const socket = new URL(address);
  socket.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';

  // Each tab has its own headers. What one tab was given is used in the others too until the browser tab is
  // closed; it is kept nowhere else. On a WebSocket the headers go into `connection_init`.
  function withAuthorization(headers = {}) {
    const name = Object.keys(headers).find((key) => key.toLowerCase() === 'authorization');
    const value = name ? String(headers[name]).trim() : '';
    const { [name]: _, ...others } = headers;
    if (value && value.toLowerCase() !== 'bearer') {
      sessionStorage.setItem(AUTHORIZATION, value);
      return { ...others, authorization: value };
    }
    const remembered = sessionStorage.getItem(AUTHORIZATION);
    return remembered ? { ...others, authorization: remembered } : others;
  }

  const send = GraphiQL.createFetcher({ url: address.href, subscriptionUrl: socket.href });
  const fetcher = (operation, options = {}) =>
    send(operation, { ...options, headers: withAuthorization(options.headers) });

  const headers = JSON.stringify({ Authorization: 'Bearer ' }, null, 2);
  const defaultTabs = JSON.parse(place.dataset.examples).map((example) => ({ headers, ...example }));

  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, {
      fetcher,
      defaultHeaders: headers,
      defaultEditorToolsVisibility: 'headers',
      defaultTabs,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
    }),
  );
})();
