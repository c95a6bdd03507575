import { readBashWord, writeBashWord } from './bash-words.ts';
import { replaceMatches } from './replace-matches.ts';

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/**
 * Longest entry that is looked through: the kernel takes no longer variable (`MAX_ARG_STRLEN`, execve(2): 128 KiB),
 * and quoting at most quadruples it. What is longer was not written by the wrapper.
 */
const MAX_ENTRY_CHARACTERS = 4 * 131_072;

/** Words of a name that mark its value as a secret. Whole words only, so that TOKENIZERS_PARALLELISM stays. */
const secretWords: ReadonlySet<string> = new Set(
  'TOKEN TOKENS SECRET SECRETS PASSWORD PASSWORDS PASSWD PASSPHRASE PASSCODE PASS PWD KEY KEYS APIKEY CREDENTIAL CREDENTIALS CREDS AUTH AUTHORIZATION BEARER COOKIE COOKIES SIGNATURE SIG SAS DSN NETRC JWT PAT OTP WEBHOOK'.split(
    ' ',
  ),
);
/** Endings of a word that mark a secret in names written without separators: GITHUBTOKEN, SSHPASS. */
const SECRET_ENDING =
  /(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|(?<!BY|COM)PASS|(API|ACCESS|ACCOUNT|AUTH|ENCRYPTION|LICENSE|MASTER|PRIVATE|SECRET|SHARED|SIGNING|SSH)KEY|CREDENTIALS?)$/;
/** Names that look like secrets and are paths or sockets that every session has. */
const harmlessNames: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SSH_AUTH_SOCK', 'SLURM_KEY']);

function isSecretName(name: string): boolean {
  if (harmlessNames.has(name)) return false;
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .split(/[_.-]/);
  const whole = name.toUpperCase().split(/[_.-]/);
  return [...words, ...whole].some((word) => secretWords.has(word) || SECRET_ENDING.test(word));
}

/**
 * Secrets that are recognised by what they look like, wherever they stand. What the group `keep` holds stays. A match
 * begins only where what it repeats cannot have begun before, or is bounded: a listing is written by jobs, and must
 * not be able to keep this process busy.
 */
const secretPatterns: readonly RegExp[] = [
  // PEM and PGP blocks, with real line breaks or with `\n`; cut-off ones up to the end; in base 64.
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[\s\S]*$)/g,
  /(?<![\w+/=])LS0tLS1CRUdJTi[\w+/=]+/g,
  // AWS: key ids (IAM User Guide, "Understanding unique ID prefixes"), session tokens, and what looks like a secret
  // access key: 40 characters of base 64 with letters of both cases and digits.
  /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  /(?<![\w+/=])(?:IQoJ|FwoG|FQoG)[\w+/=]{100,}/g,
  /(?<![\w/+=.-])(?=[A-Z0-9/+]{0,39}[a-z])(?=[a-z0-9/+]{0,39}[A-Z])(?=[A-Za-z/+]{0,39}\d)[A-Za-z0-9/+]{40}(?![\w/+=.-])/g,
  // JSON Web Tokens: header and payload begin with `{"` in base64url.
  /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g,
  // Tokens with a published prefix: GitHub, GitLab, Slack, Hugging Face, npm, PyPI, Docker, Stripe, OpenAI and
  // Anthropic, Google, SendGrid, DigitalOcean, Vault, Databricks, age.
  /(?<![\w-])(?:gh[pousr]_|github_pat_|gl[a-z]{2,6}-|xox[a-z]-|xapp-|hf_|npm_|pypi-|dckr_pat_|[prs]k_(?:live|test)_|sk-|AIza|ya29\.|SG\.|dop_v1_|hv[bs]\.|dapi|AGE-SECRET-KEY-1)[\w.-]{16,}/g,
  /(?<keep>\bhttps:\/\/hooks\.slack\.com\/services\/)[\w/]+/g,
  /(?<keep>\b(?:Bearer|Basic)\s{1,9})[\w+/.~=-]{8,}/gi,
  // Passwords in URLs, which may hold anything but a slash: scheme://user:password@host
  /(?<keep>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]{0,256}:)[^\s/]{1,1024}(?=@)/gi,
  // Words of a command line or of a netrc: curl -u user:password, sshpass -p password, password hunter2.
  /(?<keep>(?<!\S)(?:-u|--user)[ =][^\s:]{1,256}:)\S+/g,
  /(?<keep>\bsshpass\s{1,9}-p\s{0,9})\S+/g,
  /(?<keep>\b(?:password|passwd|passphrase)\s{1,9})[^\s'"=:]\S*/gi,
];

/** `name=value` and `--name value`, `"name": "value"`, and `Name: the rest of the line` in a value. */
const assignments: readonly RegExp[] = [
  /(?<keep>(?<![\w.-])(?<name>[A-Za-z-][\w.-]{0,127})=["']?)(?<secret>[^\s&;,'"]+)/g,
  /(?<keep>(?<!\S)--(?<name>[A-Za-z][\w.-]{0,127})\s{1,9}["']?)(?<secret>[^\s'"-][^\s'"]*)/g,
  /(?<keep>\\?["'](?<name>[A-Za-z_-][\w.-]{0,127})\\?["']\s{0,9}[:=]\s{0,9}\\?["'])(?<secret>(?:\\[^"']|[^"'\\])+)/g,
  /(?<keep>(?<![\w.-])(?<name>[A-Za-z][\w.-]{0,127}):[ \t]{1,9})(?<secret>[^\n'"]+)/g,
];

/** A text without this holds none of the patterns above: most values are that short and plain. */
const LOOKS_INTERESTING = /[:=\s]|.{16}/s;

function redactValue(text: string): string {
  if (!LOOKS_INTERESTING.test(text)) return text;
  let redacted = text;
  for (const pattern of secretPatterns) {
    redacted = replaceMatches(redacted, pattern, ({ groups }) => `${groups?.['keep'] ?? ''}${REDACTED}`);
  }
  for (const pattern of assignments) {
    redacted = replaceMatches(redacted, pattern, ({ 0: whole, groups: { keep = '', name = '' } = {} }) =>
      isSecretName(name) ? `${keep}${REDACTED}` : whole,
    );
  }
  return redacted;
}

const ASSIGNMENT = /^(?:export |declare -x )?([A-Za-z_][A-Za-z0-9_]*)=/;

/**
 * An environment listing (`NAME=value` lines, as the job's wrapper writes them) without its secrets: values of
 * variables whose name says that they are secret, and whatever looks like a secret in any value. Lines that begin no
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
  // A trailing line break belongs to the listing, not to the value.
  const end = entry.endsWith('\n') ? '\n' : '';
  if (entry.length > MAX_ENTRY_CHARACTERS) return `${match?.[0] ?? ''}${REDACTED}${end}`;
  if (!match) return redactValue(entry);
  const [beginning, name = ''] = match;
  if (isSecretName(name)) return `${beginning}${REDACTED}${end}`;
  const value = entry.slice(beginning.length, entry.length - end.length);
  return `${beginning}${redactWord(value)}${end}`;
}

/** What bash quoted is looked at as it is without the quotes: an escape in a secret must not hide it. */
function redactWord(value: string): string {
  const text = readBashWord(value);
  if (text === undefined) return redactValue(value);
  const redacted = redactValue(text);
  return redacted === text ? value : writeBashWord(redacted);
}
