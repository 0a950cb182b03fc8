// Prints what the official parser says of each document named on the command line: one JSON array for all of them.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();

async function read(path) {
  const { document, diagnostics } = await parser.parse(await readFile(path, "utf8"), { source: path });
  return {
    path,
    diagnostics: diagnostics.map(({ severity, code, message, path: at }) => ({
      severity,
      code: String(code),
      message,
      at: at.join("/"),
    })),
    addresses: document?.channels().all().map((channel) => channel.address()) ?? [],
    messages: document?.allMessages().all().map((message) => message.name()) ?? [],
    sends: document?.operations().filterBySend().length ?? 0,
  };
}

console.log(JSON.stringify(await Promise.all(process.argv.slice(2).map(read))));
