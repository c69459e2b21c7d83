/**
 * Somebody between browser and instance: forwards everything, and may change what the key log answers. Stands for a dishonest operator,
 * whose server is not the honest one that the other tests start.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { KeyLog } from "./keyLog.ts";

/** Changes an answer, or returns it as it is. `query` are its parameters. */
export type Alter = (path: string, body: never, query: URLSearchParams) => unknown;

export class Middle {
  readonly #server: Server;
  /** What it does to answers of the log. */
  alter: Alter | null = null;
  /** A log that answers in place of the instance's. */
  log: KeyLog | null = null;
  /** Slows every answer of the log down. */
  delayMs = 0;

  private constructor(target: () => number) {
    this.#server = createServer((asked, answer) => {
      this.#handle(asked, answer, target()).catch(() => answer.destroy());
    });
  }

  static async stand(target: () => number): Promise<Middle> {
    const middle = new Middle(target);
    await new Promise<void>((resolve) => middle.#server.listen(0, "127.0.0.1", resolve));
    return middle;
  }

  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async leave(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(asked: IncomingMessage, answer: ServerResponse, port: number): Promise<void> {
    const url = new URL(asked.url ?? "/", this.origin);
    const ofTheLog = /^\/(sth|did|\.well-known)\//.test(url.pathname);
    if (ofTheLog && this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    const own = ofTheLog && asked.method === "GET" ? this.log?.answer(url) : undefined;
    const [status, headers, body] = own
      ? [own.status, { "content-type": "application/json" }, Buffer.from(JSON.stringify(own.body))]
      : await forward(asked, port);
    let sent = body;
    if (ofTheLog && this.alter && status === 200) {
      const altered = this.alter(url.pathname, JSON.parse(body.toString()) as never, url.searchParams);
      sent = Buffer.from(JSON.stringify(altered));
    }
    answer.writeHead(status, { ...headers, "content-length": sent.length });
    answer.end(sent);
  }
}

async function forward(asked: IncomingMessage, port: number): Promise<[number, Record<string, string | string[] | undefined>, Buffer]> {
  return new Promise((resolve, reject) => {
    // The browser's own Host goes along, as its Origin does: the instance compares the two.
    const sent = request({ host: "127.0.0.1", port, method: asked.method, path: asked.url, headers: asked.headers }, async (got) => {
      const chunks: Buffer[] = [];
      for await (const chunk of got) chunks.push(chunk as Buffer);
      const { "transfer-encoding": _, ...kept } = got.headers;
      resolve([got.statusCode ?? 502, kept, Buffer.concat(chunks)]);
    });
    sent.on("error", reject);
    asked.pipe(sent);
  });
}
