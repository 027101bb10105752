// How does the page speak with the sandbox? One POST for each act, one stream of states.

/** A session is one load of the page. Its name is never kept: Slack loses ephemerals at a reload, too. */
export function makeApi() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const session = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    session,
    act: (as, action) => act({ as, session, ...action }),
    follow: (onState, onConnection) => follow(session, onState, onConnection),
  };
}

/** Gives the sandbox's answer; a sandbox that cannot be reached answers {ok: false} like a refused act. */
async function act(body) {
  try {
    const response = await fetch("/act", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch (error) {
    return { ok: false, error: "no_connection", text: `The sandbox did not answer (${error.message}).` };
  }
}

function follow(session, onState, onConnection) {
  const source = new EventSource(`/events?session=${session}`);
  source.addEventListener("state", (event) => onState(JSON.parse(event.data)));
  source.addEventListener("open", () => onConnection(true));
  source.addEventListener("error", () => onConnection(false));
  return () => source.close();
}
