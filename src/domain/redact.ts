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
  'TOKEN TOKENS SECRET SECRETS PASSWORD PASSWORDS PASSWD PASSPHRASE PASSCODE PASS PWD KEY KEYS APIKEY CRED CREDS CREDENTIAL CREDENTIALS AUTH AUTHORIZATION BEARER COOKIE COOKIES SIGNATURE SIG SAS DSN NETRC JWT PAT OTP WEBHOOK HMAC'.split(
    ' ',
  ),
);
/** What marks a secret wherever it stands in a word: PASSWORDPROD. */
const SECRET_PART = /PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|APIKEY|PRIVATEKEY|TOKEN(?!I)/;
/** Endings of a word that mark a secret in names written without separators: GITHUBTOKEN, SSHPASS, DBPW. */
const SECRET_ENDING = /((?<!BY|COM)PASS|PWD?|(?<!MON|DON|TUR|HOC|JOC|LAC|WHIS)KEYS?|CREDS?|AUTH)$/;
/** `TLS_PRIVATE` is a key; `PRIVATE_SUBNET` is none. */
const PRIVATE_AT_THE_END = /[_.-]PRIVATE\d*$/i;
/**
 * Variables that look like secrets and are paths or sockets that every session has. Whole variables only: in a value,
 * `PWD=` is the password of an ODBC connection.
 */
const harmlessVariables: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SSH_AUTH_SOCK', 'SLURM_KEY']);

function isSecretName(name: string): boolean {
  const camelSplit = name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2');
  const words = `${camelSplit}_${name}`.toUpperCase().split(/[_.-]/);
  return PRIVATE_AT_THE_END.test(name) || words.some((word) => isSecretWord(word.replace(/(?<!\d)\d+$/, '')));
}

function isSecretWord(word: string): boolean {
  return secretWords.has(word) || SECRET_PART.test(word) || SECRET_ENDING.test(word);
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
  // Anthropic, Google, SendGrid, DigitalOcean, Vault, Databricks, Grafana, Shopify, age.
  /(?<![\w-])(?:gh[pousr]_|github_pat_|gl[a-z]{2,6}-|xox[a-z]-|xapp-|hf_|npm_|pypi-|dckr_pat_|[prs]k_(?:live|test)_|sk-|AIza|ya29\.|SG\.|dop_v1_|hv[bs]\.|dapi|glsa_|glc_|shp[a-z]{2,3}_|AGE-SECRET-KEY-1)[\w.-]{16,}/g,
  // Addresses of webhooks are secrets: Slack, Discord, Teams.
  /(?<keep>\bhttps:\/\/(?:hooks\.slack\.com\/services|discord(?:app)?\.com\/api\/webhooks|[\w.-]{1,64}\.webhook\.office\.com)\/)[\w/@.-]+/g,
  /(?<keep>\b(?:Bearer|Basic)\s{1,9})[\w+/.~=-]{8,}/gi,
  // Oracle: jdbc:oracle:thin:user/password@host
  /(?<keep>\bjdbc:oracle:[a-z0-9]{1,9}:)(?!@)[^\s"]{1,256}(?=@)/gi,
  // user:password@host without a scheme; not the digest of a container image, name:tag@sha256:…
  /(?<![\w./:@+-])[A-Za-z][\w.-]{0,63}:[^\s:@/"']{1,256}(?=@(?!sha\d+:)[A-Za-z0-9])/g,
  // Words of a command line or of a netrc: curl -u user:password, sshpass -p password, password hunter2.
  /(?<keep>(?<!\S)(?:-u|--user)[ =][^\s:]{1,256}:)\S+/g,
  /(?<keep>\bsshpass\s{1,9}-p\s{0,9})\S+/g,
  /(?<keep>\b(?:mysql|mariadb)[\w-]{0,20}\s(?:[^\n]{0,200}\s)?-p)\S+/g,
  /(?<keep>\b(?:password|passwd|passphrase)\s{1,9})(?!-\s)[^\s'"=:]\S*/gi,
];

/**
 * What stands before the `@` of a URL. A password may hold anything, even a slash, so it ends at the last `@` of the
 * word. Never reaches into the next URL.
 */
const USER_OF_URL =
  /(?<keep>(?<![a-z0-9+.-])(?<scheme>[a-z][a-z0-9+.-]{0,30}):\/\/)(?<user>[^\s/:@"]{0,4096})(?<password>:(?:(?!:\/\/)[^\s"]){0,4096})?(?=@)/gi;
/** Schemes of URLs in whose paths an `@` is usual, after the port of the host: what looks like one is no password. */
const HAS_PATH_WITH_AT = /^(?:https?|docker|oras)$/i;
const PORT_AND_PATH = /^:\d{1,5}[/?#]/;
/** A name of a person or of `git`, no token. */
const PLAIN_USER = /^[a-z_][a-z0-9_-]{0,15}$/;

/** With a password, the user goes too: `https://TOKEN:x-oauth-basic@host`. In HTTP, a lone user is often a token. */
function redactUserOfUrl({ 0: whole, groups = {} }: RegExpExecArray): string {
  const { keep = '', scheme = '', user = '', password } = groups;
  const isPlain = password === undefined && PLAIN_USER.test(user) && !/^https?$|\+https?$/i.test(scheme);
  const isHost = password !== undefined && PORT_AND_PATH.test(password) && HAS_PATH_WITH_AT.test(scheme);
  return isPlain || isHost ? whole : `${keep}${REDACTED}`;
}

const NAME = String.raw`(?<name>[\w.-]{1,128})`;
const NAME_BEGINS = String.raw`(?<![\w.-])`;
const EQUALS = ':?=>?';
const QUOTE = String.raw`\\{0,9}["']`;
/** Up to the same quote, escaped as often (JSON in JSON); what is not closed, up to the end. */
const QUOTED = String.raw`(?:(?<quote>${QUOTE})[\s\S]*?(?:(?<!\\)\k<quote>|$))+`;
/** Up to the bracket that closes it, see {@link endOfBracketed}. */
const BRACKETED = String.raw`[{[]`;
/** An escaped character, or a quote in the middle of a word: neither ends a value. */
const INSIDE = String.raw`\\[^\n]|["'](?=\w)`;
/** A line break, also as JSON and bash write it. */
const BREAK = String.raw`(?:\r?\n|(?:\\r)?\\n)`;
/** YAML on the lines below: all lines that are indented like the first, or the items of a list. */
const BLOCK = String.raw`(?:[|>!&#][^\n]{0,99})?${BREAK}(?:[ \t]{0,99}${BREAK}){0,9}(?:(?<indent>[ \t]{1,99})[^\n]+(?:\n(?:\k<indent>[^\n]*|[ \t]*(?=\n)))*|- [^\n]*(?:\n- [^\n]*)*)`;

/** A way to write a name and its value: what stands before the value, and the value, if the name is a secret’s. */
interface AssignmentForm {
  readonly head: RegExp;
  readonly value: RegExp;
}

function form(head: string, value: string): AssignmentForm {
  return { head: new RegExp(head, 'g'), value: new RegExp(value, 'y') };
}

/** `"name": "a name", "value": "a value"`, as JSON, YAML or XML: what is called so, or `ParameterKey`, `ParameterValue`. */
const LABEL = String.raw`\b\w{0,32}(?:[Nn]ame|[Kk]ey)(?:${QUOTE})?\s{0,9}[:=]\s{0,9}(?:${QUOTE})?`;
const VALUE_LABEL = String.raw`\b\w{0,32}[Vv]alue(?:${QUOTE})?\s{0,9}[:=]\s{0,9}`;

const assignmentForms: readonly AssignmentForm[] = [
  // Before the others: `key` alone is the name of a secret, too.
  form(
    String.raw`${LABEL}${NAME}(?:${QUOTE})?\s{0,99},?\s{0,99}(?:${QUOTE})?${VALUE_LABEL}`,
    String.raw`${QUOTED}|${BRACKETED}|(?:${INSIDE}|[^\s,;}\]'"\\])+`,
  ),
  // name=value, ends at a blank or a separator; {…} is ODBC’s quoting.
  form(`${NAME_BEGINS}${NAME}${EQUALS}`, String.raw`${QUOTED}|\{[^}]*\}?|(?:${INSIDE}|[^\s&;,'"\\])+`),
  // name = the rest of the line, as in INI files.
  form(
    String.raw`${NAME_BEGINS}${NAME}(?:[ \t]{1,9}${EQUALS}[ \t]{0,9}|${EQUALS}[ \t]{1,9})`,
    String.raw`${QUOTED}|(?:${INSIDE}|[^\n;'"\\])+`,
  ),
  // --name value, also as items of a list: '--name', 'value'.
  form(
    String.raw`${NAME_BEGINS}--?(?=[A-Za-z])${NAME}(?:(?:${QUOTE})?\s{0,9},\s{0,9}|${QUOTE}\s{0,9}|\s{1,9}(?:-\s{1,9})?)`,
    String.raw`${QUOTED}|(?!-)(?:${INSIDE}|[^\s'"\\])+`,
  ),
  // "name": "value"
  form(
    String.raw`["']${NAME}${QUOTE}\]?\s{0,9}[:=]>?\s{0,9}`,
    String.raw`${QUOTED}|${BRACKETED}|[^\s,;&}\]'"]+`,
  ),
  // <name>value</name>
  form(`<${NAME}>`, '[^<]+'),
  // name:value in a list; not a path.
  form(`${NAME_BEGINS}${NAME}:(?=[^\\s:/])`, String.raw`${QUOTED}|[^\s,;&'"\\]+`),
  // Name: the rest of the line, or the lines below.
  form(
    String.raw`${NAME_BEGINS}${NAME}:(?=[ \t]|${QUOTE}|${BREAK})[ \t]{0,9}`,
    String.raw`${BLOCK}|${QUOTED}|${BRACKETED}|(?:${INSIDE}|[^\n'"\\])+`,
  ),
];

/** Behind the bracket that closes the one at a place; the end of the text if none does. */
function endOfBracketed(text: string, begin: number): number {
  let depth = 0;
  for (let index = begin; index < text.length; index++) {
    const character = text[index];
    if (character === '{' || character === '[') depth += 1;
    if ((character === '}' || character === ']') && --depth === 0) return index + 1;
  }
  return text.length;
}

/** A value before its name: `"value": "…", "name": "DB_PASSWORD"`. */
const VALUE_FIRST = new RegExp(
  String.raw`(?<keep>${VALUE_LABEL})(?<value>${QUOTED})(?<rest>\s{0,99},\s{0,99}(?:${QUOTE})?${LABEL}${NAME})`,
  'g',
);

function redactValueFirst({ 0: whole, groups = {} }: RegExpExecArray): string {
  const { keep = '', rest = '', name = '', quote = '' } = groups;
  return isSecretName(name) ? `${keep}${quote}${REDACTED}${quote}${rest}` : whole;
}

/** Looks on behind the head where a name is harmless: its value may hold the next name. */
function redactAssignments(text: string, { head, value }: AssignmentForm): string {
  let redacted = '';
  let position = 0;
  head.lastIndex = 0;
  for (let match = head.exec(text); match; match = head.exec(text)) {
    if (!isSecretName(match.groups?.['name'] ?? '')) continue;
    value.lastIndex = head.lastIndex;
    const secret = value.exec(text);
    if (!secret) continue;
    const quote = secret.groups?.['quote'] ?? '';
    const isBracketed = secret[0] === '{' || secret[0] === '[';
    redacted += `${text.slice(position, head.lastIndex)}${quote}${REDACTED}${quote}`;
    position = isBracketed ? endOfBracketed(text, secret.index) : value.lastIndex;
    head.lastIndex = position;
  }
  return redacted + text.slice(position);
}

/** A text without this holds none of the patterns above: most values are that short and plain. */
const LOOKS_INTERESTING = /[:=,\s]|.{16}/s;

function redactValue(text: string): string {
  if (!LOOKS_INTERESTING.test(text)) return text;
  let redacted = text;
  for (const pattern of secretPatterns) {
    redacted = replaceMatches(redacted, pattern, ({ groups }) => `${groups?.['keep'] ?? ''}${REDACTED}`);
  }
  redacted = replaceMatches(redacted, USER_OF_URL, redactUserOfUrl);
  redacted = replaceMatches(redacted, VALUE_FIRST, redactValueFirst);
  for (const assignmentForm of assignmentForms) redacted = redactAssignments(redacted, assignmentForm);
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
  if (isSecretName(name) && !harmlessVariables.has(name)) return `${beginning}${REDACTED}${end}`;
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
