// A web client on an origin of its own: it opens a fallback page and listens to what that says.
import { createServer } from "node:http";

const PAGE = `<!doctype html><html lang="en"><title>Client</title><button autofocus>Verify</button>
<script>
window.messages = [];
addEventListener("message", (event) => messages.push([event.data, event.origin]));
document.querySelector("button").onclick = () => open(new URLSearchParams(location.search).get("at"));
</script>`;

export async function app() {
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(PAGE);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const url = `http://127.0.0.1:${server.address().port}/`;
  return { at: (page) => `${url}?at=${encodeURIComponent(page)}`, close: () => server.close() };
}
