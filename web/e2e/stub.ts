/** A program at the other end of a rule or a webhook: writes down what it is asked, and answers what the test says. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class Stub {
  readonly #server: Server;
  readonly asked: Asked[] = [];
  status = 200;
  body = '{"status":"confirmed"}';

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        this.asked.push({ path: request.url ?? "", headers: request.headers, body });
        response.writeHead(this.status, { "content-type": "application/json" });
        response.end(this.body);
      });
    });
  }

  static async stand(): Promise<Stub> {
    const stub = new Stub();
    await new Promise<void>((resolve) => stub.#server.listen(0, "127.0.0.1", resolve));
    return stub;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async leave(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
