import { sha256 } from '@noble/hashes/sha2.js';

/** What is needed to know a host again. */
interface KnownHost {
  readonly address: string;
  readonly port: number;
  /** OpenSSH form: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
}

/** The line of a `known_hosts` file; ports other than 22 are part of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export function knownHosts({ address, port, hostKey }: KnownHost): string {
  return `${port === 22 ? address : `[${address}]:${port}`} ${hostKey}`;
}

/** A key's fingerprint as `ssh-keygen -l` prints it: `SHA256:` and the hash in base 64 without padding. */
export function fingerprint(hostKey: string): string {
  const [, blob = ''] = hostKey.split(' ');
  return `SHA256:${toBase64(sha256(fromBase64(blob)))}`;
}

/* Workflows have neither Buffer nor atob. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648, leaving out the padding and whatever is not of the alphabet. */
function fromBase64(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let bitCount = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) continue;
    bits = ((bits << 6) | value) & 0xff_ff;
    bitCount += 6;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes.push((bits >> bitCount) & 0xff);
  }
  return Uint8Array.from(bytes);
}

/** RFC 4648 without padding. */
function toBase64(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xff_ff;
    bitCount += 8;
    for (; bitCount >= 6; bitCount -= 6) text += ALPHABET.charAt((bits >> (bitCount - 6)) & 63);
  }
  return bitCount > 0 ? text + ALPHABET.charAt((bits << (6 - bitCount)) & 63) : text;
}
