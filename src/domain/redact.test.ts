import { describe, expect, it } from 'vitest';
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
    '',
  ].join('\n');
  expect(redactEnvironment(listing)).toBe(listing);
});
