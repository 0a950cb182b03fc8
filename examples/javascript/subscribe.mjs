// Follow one type of event of Tone Touch Music: everything that was ever said, then each new one. The official client.
//
//     npm install
//     export TONETOUCH_READER="$(uv run tonetouch reader)"     # where the platform runs, or ask its operator
//     node subscribe.mjs CATALOG track.published
//
// Each event is a line of JSON with its place in the stream. To go on where you stopped, give the last place too.

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const AT_ONCE = 500;
const LOOK_ANYWAY_MS = 30_000;

// The messages of a stream under a subject, from a place on and for ever, in order and without a gap. What is announced
// under `log.>` only says that there is something new: it is read from the stream, where nothing gets lost.
async function* follow(client, stream, subject, after) {
  let somethingNew = false;
  let wake = () => {};
  client.subscribe(`log.${subject}`, {
    callback: () => {
      somethingNew = true;
      wake();
    },
  });
  const { direct } = await jetstreamManager(client, { checkAPI: false });
  while (true) {
    somethingNew = false;
    for await (const message of read(direct, stream, subject, after)) {
      after = message.seq;
      somethingNew = true; // perhaps there is more of it
      yield message;
    }
    if (!somethingNew) {
      let timer;
      await new Promise((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, LOOK_ANYWAY_MS);
      });
      clearTimeout(timer);
    }
  }
}

// The next messages after a place, some hundred at the most.
async function* read(direct, stream, subject, after) {
  try {
    yield* await direct.getBatch(stream, { seq: after + 1, batch: AT_ONCE, next_by_subj: subject });
  } catch (error) {
    if (error.code !== 404) throw error; // 404: there are no more
  }
}

// One event as a line of JSON. Header values are percent-encoded, as CloudEvents on NATS wants them.
function shown(message) {
  const said = ["id", "type", "subject", "time"].map((name) => [
    name,
    decodeURIComponent(message.header.get(`ce-${name}`)),
  ]);
  return JSON.stringify({ place: message.seq, ...Object.fromEntries(said), data: message.json() });
}

const [stream, type, after = "0"] = process.argv.slice(2);
if (!process.env.TONETOUCH_READER || !type) {
  console.error("Set TONETOUCH_READER to what `uv run tonetouch reader` prints, and name a stream and a type.");
  process.exit(2);
}
const address = new URL(process.env.TONETOUCH_READER);
const client = await connect({
  servers: address.host,
  user: decodeURIComponent(address.username),
  pass: decodeURIComponent(address.password),
  maxReconnectAttempts: -1,
});
for await (const message of follow(client, stream, `${type}.*`, Number(after))) {
  console.log(shown(message));
}
