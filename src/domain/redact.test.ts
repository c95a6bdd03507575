import { describe, expect, it } from 'vitest';
import { writeBashWord } from './bash-words.ts';
import { REDACTED, redactEnvironment } from './redact.ts';

describe('secrets named by their variable', () => {
  it.each([
    'API_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'DB_PASSWORD',
    'MYSQL_PWD',
    'SSH_PRIVATE_KEY',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'GITHUBTOKEN',
    'dbPassword',
    'OPENAI_API_KEY',
    'COOKIE_SECRET',
    'PASSPHRASE',
    'SSHPASS',
    'SLURM_JWT',
    'clientSecretValue',
    'AZURE_STORAGE_ACCOUNTKEY',
    'GITHUB_PAT',
    'SLACK_WEBHOOK',
  ])('%s', (name) => {
    const listing = `A='1'\n${name}='planted-value'\nB='2'\n`;
    expect(redactEnvironment(listing)).toBe(`A='1'\n${name}=${REDACTED}\nB='2'\n`);
  });

  it('go with all their lines', () => {
    const listing = ['PRIVATE_KEY=line one', 'planted two', 'planted three', 'NEXT=stays'].join('\n');
    expect(redactEnvironment(listing)).toBe(`PRIVATE_KEY=${REDACTED}\nNEXT=stays`);
  });

  it('go from an exported listing too', () => {
    expect(redactEnvironment('declare -x API_KEY="planted"')).toBe(`declare -x API_KEY=${REDACTED}`);
  });
});

describe('secrets recognised by their form', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
  it.each([
    ['AKIAIOSFODNN7EXAMPLE', REDACTED],
    [jwt, REDACTED],
    [`ghp_${'a1B2'.repeat(9)}`, REDACTED],
    [`Bearer abcdefghijklmnop1234`, `Bearer ${REDACTED}`],
    [`postgres://sim:hunter2@db:5432/x`, `postgres://sim:${REDACTED}@db:5432/x`],
    [`Server=db;Password=hunter2;Port=1`, `Server=db;Password=${REDACTED};Port=1`],
    [
      `https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef0123&x=1`,
      `https://b.s3.amazonaws.com/k?X-Amz-Signature=${REDACTED}&x=1`,
    ],
  ])('%s', (secret, expected) => {
    expect(redactEnvironment(`OPTIONS='--with ${secret} end'`)).toBe(`OPTIONS='--with ${expected} end'`);
  });

  it('PEM keys, as bash quotes them and cut off', () => {
    const quoted = String.raw`X=$'-----BEGIN OPENSSH PRIVATE KEY-----\nplanted\n-----END OPENSSH PRIVATE KEY-----\n'`;
    expect(redactEnvironment(quoted)).toBe(String.raw`X=$'${REDACTED}\n'`);
    expect(redactEnvironment('X=-----BEGIN RSA PRIVATE KEY-----\nplanted')).toBe(`X=${REDACTED}`);
  });
});

/** Made up, in the forms that their issuers publish. The first is from AWS’s own documentation. */
const planted: readonly [what: string, secret: string, context: (secret: string) => string][] = [
  ['an AWS secret access key', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', (s) => `region us-east-1 ${s}`],
  ['an AWS session token', `IQoJb3JpZ2luX2Vj${'aB3+'.repeat(40)}`, (s) => s],
  ['a GitLab token', `glpat-${'aB3_'.repeat(6)}`, (s) => `https://x/${s} `],
  ['a Slack token', `xoxb-${'1234567890-'.repeat(3)}abc`, (s) => s],
  ['a Slack webhook', 'T00000000/B00000000/XXXXXXXX', (s) => `https://hooks.slack.com/services/${s}`],
  ['an OpenAI key', `sk-proj-${'aB3d'.repeat(8)}`, (s) => `with ${s}`],
  ['a Google key', `AIza${'aB3_d'.repeat(7)}`, (s) => `{"k": "${s}"}`],
  ['a Stripe key', `sk_live_${'aB3d'.repeat(6)}`, (s) => s],
  ['an npm token', `npm_${'aB3d'.repeat(9)}`, (s) => `//registry.npmjs.org/:_authToken=${s}`],
  ['a password in a URL', 'p@ss:w0rd', (s) => `mysql://sim:${s}@db/x`],
  ['a quote in the password of a URL', "p'ss", (s) => `postgres://sim:${s}@db:5432/x`],
  ['a password in JSON', 'hunter2', (s) => JSON.stringify({ user: 'sim', db_password: s })],
  ['a quote in a password in JSON', 'hun"ter2', (s) => JSON.stringify({ password: s })],
  ['JSON in JSON', 'hunter2', (s) => JSON.stringify({ inner: JSON.stringify({ clientSecret: s }) })],
  ['a password in YAML', 'hunter2 with blanks', (s) => `user: sim\npassword: ${s}\nport: 1`],
  ['an option', 'hunter2', (s) => `--verbose --db-password ${s} --port 1`],
  ['an option with =', 'hunter2', (s) => `--api-token=${s}`],
  ['a Java property', 'hunter2', (s) => `-Djavax.net.ssl.keyStorePassword=${s}`],
  ['a user with password for curl', 'hunter2', (s) => `curl -u sim:${s} https://x`],
  ['a netrc', 'hunter2', (s) => `machine x\nlogin sim\npassword ${s}\n`],
  ['sshpass', 'hunter2', (s) => `sshpass -p ${s} ssh x`],
  ['a header', 'hunter2', (s) => `X-Api-Key: ${s}`],
  ['a header with parameters', 'Signature=0a1b2c3d', (s) => `Authorization: AWS4-HMAC-SHA256 X=1, ${s}`],
  ['basic credentials', 'c2ltOmh1bnRlcjI=', (s) => `Proxy: Basic ${s}`],
  ['an encoded PEM block', `LS0tLS1CRUdJTi${'BQUk'.repeat(20)}`, (s) => `{"x":"${s}"}`],
  [
    'a PGP block',
    'lQOYBF',
    (s) => `-----BEGIN PGP PRIVATE KEY BLOCK-----\n${s}\n-----END PGP PRIVATE KEY BLOCK-----`,
  ],
  ['a key that is cut off', 'MIIEvQ', (s) => `-----BEGIN PRIVATE KEY-----\n${s}`],
  ['a Docker login', 'c2ltOmh1bnRlcjI', (s) => JSON.stringify({ auths: { x: { auth: s } } })],
];

it.each(planted)('takes out %s, however bash quotes it', (_what, secret, context) => {
  const text = context(secret);
  // As the wrapper writes it, and with a break, which makes bash write `$'…'`.
  for (const value of [writeBashWord(text), writeBashWord(`${text}\n`), text]) {
    const redacted = redactEnvironment(`A='1'\nHARMLESS=${value}\nB='2'\n`);
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), writeBashWord(secret).slice(1, -1)])
      expect(redacted).not.toContain(form);
    expect(redacted).toContain(REDACTED);
    expect(redacted.startsWith(`A='1'\nHARMLESS=`)).toBe(true);
    expect(redacted.endsWith(`\nB='2'\n`)).toBe(true);
  }
});

it.each([
  ['eyJaaaaaaaa-', 'eyJaaaaaaaa-'],
  ['-----BEGIN PRIVATE KEY-----', '-----BEGIN PRIVATE KEY-----'],
  ['a.', 'a.'],
  ['a://', 'a://b:'],
  ['key', 'key="'],
  ['password ', 'password '],
  ['aA1/', 'aA1/'],
  ['\\', '"key":"\\'],
  ["'", "'"],
  ['$', "$'\\x"],
])('takes no longer for a listing that a job made to be slow: %j', (_name, unit) => {
  const line = `X=${unit.repeat(Math.floor(500_000 / unit.length))}`;
  const started = performance.now();
  redactEnvironment(`${line}\n`.repeat(8));
  expect(performance.now() - started).toBeLessThan(3_000);
});

it('leaves harmless values as they are', () => {
  const listing = [
    '# Modules loaded when the job started',
    'Currently Loaded Modulefiles:',
    ' 1) neuron/8.2   2) openmpi/4.1',
    '# Environment',
    `PWD='/home/sim'`,
    `OLDPWD='/home/sim'`,
    `PATH='/usr/bin:/bin'`,
    `LOADEDMODULES='neuron/8.2:openmpi/4.1'`,
    `SSH_AUTH_SOCK='/tmp/ssh-x/agent.1'`,
    `TOKENIZERS_PARALLELISM='false'`,
    `MONKEY_COUNT='3'`,
    `KEYBOARD='us'`,
    `GIT_AUTHOR_NAME='A. Author'`,
    `SLURM_JOB_NODELIST='n[1-2]'`,
    `HASH='9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'`,
    `URL='https://example.org/path?x=1'`,
    `LS_COLORS='rs=0:di=01;34:ln=01;36'`,
    `DBUS_SESSION_BUS_ADDRESS='unix:path=/run/user/1000/bus'`,
    `MODULEPATH='/usr/share/modules/modulefiles:/opt/Software2/modules/all'`,
    `COMMIT='0a4d55a8d778e5022fab701977c5d840bbc486d0'`,
    `LINES=$'step: 1\\nresult: 2'`,
    '',
  ].join('\n');
  expect(redactEnvironment(listing)).toBe(listing);
});
