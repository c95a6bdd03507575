/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/**
 * Parts of a variable's name, separated by underscores, that mark its value as a secret. Whole parts only, so that
 * TOKENIZERS_PARALLELISM or MONKEY_COUNT stay.
 */
const secretParts: ReadonlySet<string> = new Set(
  'TOKEN TOKENS SECRET SECRETS PASSWORD PASSWORDS PASSWD PASSPHRASE PASS PWD KEY KEYS APIKEY CREDENTIAL CREDENTIALS CREDS AUTH AUTHORIZATION COOKIE COOKIES SIGNATURE SAS DSN NETRC'.split(
    ' ',
  ),
);
/** Endings of a part that mark a secret in names written without underscores: GITHUBTOKEN, dbPassword. */
const SECRET_ENDING =
  /(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|(API|ACCESS|SECRET|PRIVATE|SSH)KEY|CREDENTIALS?)$/;
/** Names that look like secrets and are paths or sockets that every session has. */
const harmlessNames: ReadonlySet<string> = new Set([
  'PWD',
  'OLDPWD',
  'SSH_AUTH_SOCK',
  'SLURM_KEY',
  'XDG_SESSION_ID',
]);

function isSecretName(name: string): boolean {
  if (harmlessNames.has(name)) return false;
  const parts = name.toUpperCase().split('_');
  return parts.some((part) => secretParts.has(part) || SECRET_ENDING.test(part));
}

/** Secrets that are recognised by what they look like, wherever they stand. The groups named `keep` stay. */
const secretPatterns: readonly RegExp[] = [
  // PEM blocks, with real line breaks or with `\n` as bash quotes them; cut-off ones up to the end.
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
  // AWS access key ids: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  // JSON Web Tokens: header and payload begin with `{"` in base64url.
  /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g,
  // Tokens with a published prefix: GitHub, GitLab, Slack, Hugging Face.
  /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hf_)[\w-]{16,}/g,
  /(?<keep>\b(?:Bearer|Basic)\s+)[\w+/.~=-]{12,}/gi,
  // Passwords in URLs: scheme://user:password@host
  /(?<keep>\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:)[^\s/@'"]+(?=@)/gi,
  // Assignments inside a value: connection strings, query strings, command-line options.
  /(?<keep>\b(?:password|passwd|pwd|secret|token|access_token|api_?key|accountkey|sharedaccesskey|X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential)=)[^\s&;,'"]+/gi,
];

function redactValue(text: string): string {
  let redacted = text;
  for (const pattern of secretPatterns) {
    redacted = redacted.replace(pattern, (...match: unknown[]) => {
      const groups = match.at(-1);
      const keep = typeof groups === 'object' && groups !== null && 'keep' in groups ? groups.keep : '';
      return `${typeof keep === 'string' ? keep : ''}${REDACTED}`;
    });
  }
  return redacted;
}

const ASSIGNMENT = /^(?:export |declare -x )?([A-Za-z_][A-Za-z0-9_]*)=/;

/**
 * An environment listing (`NAME=value` lines, as the job's wrapper writes them) without its secrets: values of
 * variables whose name says that they are secret, and whatever looks like a secret in any line. Lines that begin no
 * variable belong to the value before them.
 */
export function redactEnvironment(listing: string): string {
  const redacted: string[] = [];
  let entry: string[] = [];
  const flush = () => {
    if (entry.length > 0) redacted.push(redactEntry(entry.join('\n')));
    entry = [];
  };
  for (const line of listing.split('\n')) {
    if (ASSIGNMENT.test(line) || line.startsWith('# ')) flush();
    entry.push(line);
  }
  flush();
  return redacted.join('\n');
}

function redactEntry(entry: string): string {
  const match = ASSIGNMENT.exec(entry);
  if (match?.[1] !== undefined && isSecretName(match[1])) {
    // A trailing line break belongs to the listing, not to the value.
    return `${match[0]}${REDACTED}${entry.endsWith('\n') ? '\n' : ''}`;
  }
  return redactValue(entry);
}
