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
    'PASSWORD2',
    'DB_PASSWORD1',
    'DB_PASSWORD_1',
    'TOKEN1',
    'KEY1',
    'ACCESSTOKEN2',
    'accessToken2',
    'DBPW',
    'DB_PW',
    'PW',
    'PRIVKEY',
    'TLS_PRIVATE',
    'CRED_STORE',
    'PASSWORDPROD',
    'DBPWD',
    'ROOTPWD',
    'OPENAIKEY',
    'PRIVATEKEYPEM',
    'BASICAUTH',
    'HMAC',
    'DBCREDS',
    'TOKENVALUE',
    'db_secretv2x',
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
    [`postgres://sim:hunter2@db:5432/x`, `postgres://${REDACTED}@db:5432/x`],
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
  ['an ODBC password', 'hunter2', (s) => `Driver=x;UID=sa;PWD=${s};Port=1`],
  ['an ODBC password in braces', 'hun;ter2', (s) => `Driver=x;UID=sa;PWD={${s}};Port=1`],
  ['blanks around = in a connection', 'hunter2', (s) => `Server = db; Pwd = ${s}; Port = 1`],
  [
    'blanks around = in an INI file',
    'hunter2 with blanks',
    (s) => `[db]\nuser = sim\npassword = ${s}\nport = 1`,
  ],
  ['a blank behind =', 'hunter2', (s) => `password= ${s}`],
  ['a value in a value', 'hunter2', (s) => `--define=password=${s}`],
  ['a numbered name in a value', 'hunter2', (s) => `user=sim;password2=${s};port=1`],
  ['a quoted password in YAML', 'hunter2', (s) => `user: sim\npassword: "${s}"\nport: 1`],
  ['YAML on the next line', 'hunter2', (s) => `user: sim\nsecret:\n  ${s}\nport: 1`],
  ['a YAML block', 'hunter2', (s) => `user: sim\nsecret: |\n  line\n\n  ${s}\nport: 1`],
  ['YAML with the line breaks of Windows', 'hunter2', (s) => `secret:\r\n  ${s}\r\nport: 1`],
  ['a folded YAML block', 'hunter2', (s) => `  secret: >-  # folded\n    ${s}\n    end\n  port: 1`],
  ['a YAML list', 'hunter2', (s) => `tokens:\n- other\n- ${s}\nport: 1`],
  ['YAML in JSON', 'hunter2', (s) => JSON.stringify({ config: `secret: |\n  ${s}\n` })],
  ['a token as user of a URL', 'planted0token', (s) => `git clone https://${s}@host/x.git`],
  ['a token as user with a password', 'planted0token', (s) => `https://${s}:x-oauth-basic@host/x.git`],
  ['a token as user with an empty password', 'planted0token', (s) => `ssh://${s}:@host/x.git`],
  ['a token as user of another scheme', 'Planted0Token', (s) => `ssh://${s}@host/x.git`],
  ['a slash in the password of a URL', 'a/b', (s) => `amqp://u:${s}@h`],
  ['a slash and an @ in the password of a URL', 'a@b/c', (s) => `amqp://u:${s}@h/v`],
  ['a user of Oracle', 'hunter2', (s) => `jdbc:oracle:thin:sim/${s}@//db:1521/x`],
  ['a list of words', 'hunter2', (s) => `['run', '--password', '${s}', '--port', '1']`],
  ['a short list', 'h2', (s) => `['--pw','${s}']`],
  ['a list in JSON', 'hunter2', (s) => JSON.stringify(['run', '--password', s, '--port', '1'])],
  ['a list in YAML', 'hunter2', (s) => `args:\n- --password\n- ${s}\n- --port`],
  ['what follows an escaped quote', 'planted', (s) => `password="a\\"${s}" port=1`],
  [
    'what follows an escaped quote in JSON',
    'planted',
    (s) => JSON.stringify({ password: `a"${s}`, port: 1 }),
  ],
  [
    'what follows an escaped quote in JSON in JSON',
    'planted',
    (s) => JSON.stringify({ inner: JSON.stringify({ password: `a"${s}`, port: 1 }) }),
  ],
  ['what follows a quote', 'planted', (s) => `password=a'${s} port=1`],
  ['the value of a key in JSON', 'planted', (s) => JSON.stringify([{ key: 'DB_PASSWORD', value: s }])],
  ['a value before its name', 'planted', (s) => JSON.stringify([{ value: s, name: 'DB_PASSWORD' }])],
  ['a value of XML', 'planted', (s) => `<add key="Password" value="${s}"/>`],
  ['an element of XML', 'planted', (s) => `<password>${s}</password>`],
  ['a parameter of CloudFormation', 'planted', (s) => `ParameterKey=DBPassword,ParameterValue=${s}`],
  [
    'nested credentials',
    'planted',
    (s) => JSON.stringify({ credentials: { user: { id: 1 }, value: s }, x: 1 }),
  ],
  ['nested lists of tokens', 'planted', (s) => JSON.stringify({ tokens: [['a'], s], x: 1 })],
  ['a pair in a list', 'planted', (s) => `user:u,token:${s}`],
  ['a password of mysql', 'planted', (s) => `mysql -uroot -p${s} -h db`],
  ['a token of Grafana', `glsa_${'aB3'.repeat(10)}`, (s) => s],
  ['a webhook of Discord', '123456/abcDEF-x', (s) => `https://discord.com/api/webhooks/${s}`],
  ['a list of tokens in JSON', 'hunter2', (s) => JSON.stringify({ tokens: ['a', s], port: 1 })],
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
  ['Driver=x;UID=sa;PWD=planted;Port=1', `Driver=x;UID=sa;PWD=${REDACTED};Port=1`],
  ['Server = db; Pwd = planted; Port = 1', `Server = db; Pwd = ${REDACTED}; Port = 1`],
  ['user = sim\npassword = planted\nport = 1', `user = sim\npassword = ${REDACTED}\nport = 1`],
  ['secret:\n  planted\nport: 1', `secret:${REDACTED}\nport: 1`],
  ['secret: |\n  planted\n  planted\nport: 1', `secret: ${REDACTED}\nport: 1`],
  ['https://planted@host/x', `https://${REDACTED}@host/x`],
  ['amqp://u:12/planted@h', `amqp://${REDACTED}@h`],
  ['root:planted@db:3306/x', `${REDACTED}@db:3306/x`],
  [
    '[{"name":"DB_PASSWORD","value":"planted"},{"name":"N","value":"1"}]',
    `[{"name":"DB_PASSWORD","value":"${REDACTED}"},{"name":"N","value":"1"}]`,
  ],
  [
    '- name: DB_PASSWORD\n  value: planted\n- name: N\n  value: 1',
    `- name: DB_PASSWORD\n  value: ${REDACTED}\n- name: N\n  value: 1`,
  ],
  ['http://host:8080/x@1 amqp://u:a/b@h', `http://host:8080/x@1 amqp://${REDACTED}@h`],
  ['jdbc:oracle:thin:u/planted@db:1521:x', `jdbc:oracle:thin:${REDACTED}@db:1521:x`],
  [`['--password', 'planted', '--port', '1']`, `['--password', '${REDACTED}', '--port', '1']`],
  [String.raw`password="a\"planted" port=1`, `password="${REDACTED}" port=1`],
  ['{"password":"planted","port":1}', `{"password":"${REDACTED}","port":1}`],
])('keeps what stands beside a secret: %j', (text, expected) => {
  expect(redactEnvironment(`X=${writeBashWord(text)}\n`)).toBe(`X=${writeBashWord(expected)}\n`);
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
  ['a=', 'a='],
  ['monkey=', 'monkey='],
  ['key:', 'key:\n'],
  ['key: |', 'key: |\n\n\n'],
  ['indented', 'key:\n  '],
  ['key = ', 'key ='],
  ['blanks', ' '],
  ['digits', '1'],
  ['a=1111', 'a1111111111111111111111111111b='],
  ['quoted', '"a":'],
  ['a://b', 'a://b:c'],
  ['--a', "'--a',"],
  ['jdbc', 'jdbc:oracle:thin:'],
  ['user', 'a:b'],
  ['name', 'name: a '],
  ['name and value', 'name: "a", value: '],
  ['value and name', 'value: "a", name: '],
  ['nested', '"a":{['],
  ['secret nested', '"key":{['],
  ['mysql', 'mysql -'],
])('takes no longer for a listing that a job made to be slow: %j', (_name, unit) => {
  const line = `X=${unit.repeat(Math.floor(500_000 / unit.length))}`;
  const begin = process.cpuUsage();
  redactEnvironment(`${line}\n`.repeat(2));
  expect(process.cpuUsage(begin).user / 1e6).toBeLessThan(2);
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
    `MONKEY='3'`,
    `PRIVATE_SUBNET='10.0.0.0'`,
    `REMOTE='ssh://git@host:22/x.git'`,
    `PEER='user@host'`,
    `PROXY='http://proxy:3128/x@y'`,
    `IMAGE='docker://registry:5000/neuron@sha256:0a4d'`,
    `TAGGED='neuron:9.0@sha256:0a4d'`,
    `SCP='git@host:path/x.git'`,
    `SETTING='{"name": "THREADS", "value": "4"}'`,
    `JDBC='jdbc:oracle:thin:@db:1521:x'`,
    `KEYBOARD='us'`,
    `HOCKEY='3'`,
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
