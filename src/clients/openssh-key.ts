import ssh2 from 'ssh2';

/** Algorithm and key of an OpenSSH public key, without the comment that EC2 may append. */
export function withoutComment(publicKey: string): string {
  return publicKey.trim().split(/\s+/).slice(0, 2).join(' ');
}

/**
 * The public half of an OpenSSH private key, `ssh-ed25519 AAAA…`; undefined if the text is not such a key. Never
 * throws, because an error of the parser could quote what it read.
 */
export function publicKeyOf(privateKey: string): string | undefined {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error || !parsed.isPrivateKey()) return undefined;
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
}
