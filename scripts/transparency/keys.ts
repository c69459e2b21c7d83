/**
 * Ed25519, strictly: RFC 8032, and no key or commitment of small order.
 *
 * OpenSSL, which Node uses, refuses S ≥ L and compares the recomputed commitment byte by byte (without the cofactor). It accepts keys of
 * small order and y ≥ p, so these are refused here first. That a key is a point at all is found out when it has to verify something.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** p = 2²⁵⁵ − 19. */
const P = 2n ** 255n - 19n;
/** The order of the base point. Source: RFC 8032 section 5.1. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/**
 * The y of the points of order 8: two, and their negatives. The points of order 1, 2 and 4 have y = 1, −1 and 0.
 * Source: "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko; SSR 2020), table 1.
 */
const Y_OF_ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, Y_OF_ORDER_8, P - Y_OF_ORDER_8]);
/** What precedes the 32 bytes in a SubjectPublicKeyInfo. Source: RFC 8410 section 4. */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** A key that may verify: canonical, and not of small order. */
export class VerifyingKey {
  readonly bytes: Buffer;
  readonly #key: KeyObject;

  /** Throws a `TypeError` that says why these are no key. */
  constructor(bytes: Buffer) {
    const why = weakness(bytes);
    if (why !== null) throw new TypeError(`the key ${bytes.toString("base64")} ${why}`);
    this.bytes = bytes;
    this.#key = createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: "der", type: "spki" });
  }

  /** Whether this key signed the message. */
  verifies(message: Uint8Array, signature: Buffer): boolean {
    if (signature.length !== 64 || little(signature.subarray(32)) >= L) return false;
    if (weakness(signature.subarray(0, 32)) !== null) return false;
    try {
      return verify(null, message, this.#key, signature);
    } catch {
      // OpenSSL's answer to a key that is no point of the curve.
      return false;
    }
  }
}

/** Why 32 bytes are not an acceptable encoding of a point, or null. */
function weakness(bytes: Uint8Array): string | null {
  if (bytes.length !== 32) return "has not 32 bytes";
  const y = little(bytes) & (2n ** 255n - 1n);
  if (y >= P) return "is not canonical (y ≥ p)";
  return SMALL_ORDER_Y.has(y) ? "is of small order" : null;
}

function little(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}
