/** Demonstration keys: made by WebCrypto, not extractable, kept in this browser's IndexedDB. */

const DATABASE = "nexus.audit";
const STORE = "keys";

export interface DemoKey {
  readonly id: string;
  readonly secret: CryptoKey;
  /** Base64. */
  readonly public_key: string;
  readonly timestamp: number;
  /** The entry it was registered as; `null` while the log has not said so. */
  readonly index: number | null;
}

/** Makes a key pair, or nothing where the browser can't. */
export async function makePair(): Promise<{ readonly secret: CryptoKey; readonly public_key: string } | null> {
  try {
    const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return { secret: pair.privateKey, public_key: base64(raw) };
  } catch {
    return null;
  }
}

export async function signWith(secret: CryptoKey, message: Uint8Array): Promise<string> {
  return base64(new Uint8Array(await crypto.subtle.sign("Ed25519", secret, message as Uint8Array<ArrayBuffer>)));
}

export async function allKeys(): Promise<readonly DemoKey[]> {
  const database = await open();
  const keys = await done(database.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<DemoKey[]>);
  database.close();
  return keys.toSorted((a, b) => b.timestamp - a.timestamp);
}

export async function keepKey(key: DemoKey): Promise<void> {
  const database = await open();
  await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(key));
  database.close();
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "id" }));
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB failed.")));
  });
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
