// Asks taplo's language server, as VS Code's Even Better TOML runs it, what it completes: `node editing.mjs ROOT LINE COLUMN`
// with the file's text on stdin; the names on stdout, one a line. Runs in a folder with the package @taplo/lsp.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
const { TaploLsp } = createRequire(path.resolve("package.json"))("@taplo/lsp");
const [root, line, character] = process.argv.slice(2);
const uri = `file://${root}/layers.toml`;
const waiting = new Map();
const env = {
  now: () => new Date(), envVar: () => undefined, envVars: () => [], stdErrAtty: () => false,
  stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, glob: () => [],
  readFile: async (file) => fs.readFileSync(file), writeFile: async () => {},
  urlToFilePath: (url) => decodeURIComponent(new URL(url).pathname), isAbsolute: path.isAbsolute, cwd: () => root,
  findConfigFile: () => undefined,
  fetch: { fetch: async () => { throw new Error("no network"); }, Headers, Request, Response },
};
const lsp = await TaploLsp.initialize(env, {
  onMessage: (message) => {
    const items = message.params?.items ?? [];
    if (message.method && message.id !== undefined) lsp.send({ jsonrpc: "2.0", id: message.id, result: items.map(() => null) });
    else waiting.get(message.id)?.(message);
  },
});
let count = 0;
const tell = (method, params) => lsp.send({ jsonrpc: "2.0", method, params });
const ask = (method, params) => new Promise((resolve) => {
  waiting.set(++count, resolve);
  lsp.send({ jsonrpc: "2.0", id: count, method, params });
});
await ask("initialize", { processId: null, capabilities: {}, rootUri: `file://${root}`, workspaceFolders: [{ uri: `file://${root}`, name: "w" }] });
tell("initialized", {});
tell("textDocument/didOpen", { textDocument: { uri, languageId: "toml", version: 1, text: fs.readFileSync(0, "utf8") } });
let labels = [];
for (let tries = 0; tries < 50 && labels.length === 0; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 100)); // the schema is read meanwhile
  const { result } = await ask("textDocument/completion", { textDocument: { uri }, position: { line: +line, character: +character } });
  labels = (result?.items ?? result ?? []).map((item) => item.label);
}
console.log(labels.join("\n"));
process.exit(0);
