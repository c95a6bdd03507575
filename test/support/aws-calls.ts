import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readsAllPages } from './aws-pages.ts';
import { functionAround, isNode, nameOf, parse, type SyntaxNode, walk } from './syntax.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PACKAGES = join(ROOT, 'node_modules', '@aws-sdk');

/** Where the name of the client is not that of its actions. */
const iamPrefixes: Readonly<Record<string, string>> = {
  'cloudwatch-logs': 'logs',
  efs: 'elasticfilesystem',
  'secrets-manager': 'secretsmanager',
  'service-quotas': 'servicequotas',
};

/** Calls whose action has another name (Service Authorization Reference, Amazon S3). */
const iamActions: Readonly<Record<string, string>> = {
  's3:ListObjectsV2': 's3:ListBucket',
  's3:HeadObject': 's3:GetObject',
  's3:GetBucketNotificationConfiguration': 's3:GetBucketNotification',
};

/** A place from which product code can call AWS. */
export interface AwsCall {
  /** As in `@aws-sdk/client-<client>`. */
  readonly client: string;
  /** The IAM action. */
  readonly action: string;
  /** As the SDK has it: `ListObjectsV2`. */
  readonly operation: string;
  /** Whether it is by the SDK's paginator. */
  readonly isPaged: boolean;
  /** Whether nothing ends the reading before the last page. */
  readonly readsAll: boolean;
  /** File, from the repository's root on, and function. */
  readonly site: string;
}

interface Scan {
  readonly calls: readonly AwsCall[];
  /** What would hide calls from this scan. */
  readonly hidden: readonly string[];
}

let scanned: Scan | undefined;

/** All places from which product code calls AWS. */
export function callsToAws(): readonly AwsCall[] {
  return scanProduct().calls;
}

/** Where product code uses the SDK in a way that hides which calls it makes. */
export function hiddenCallsToAws(): readonly string[] {
  return scanProduct().hidden;
}

function scanProduct(): Scan {
  if (scanned) return scanned;
  const scans = productFiles().map((path) => scan(relative(ROOT, path), readFileSync(path, 'utf8')));
  scanned = {
    calls: scans.flatMap(({ calls }) => calls),
    hidden: scans.flatMap(({ hidden }) => hidden),
  };
  return scanned;
}

/** The calls to AWS of one file. */
export function scan(file: string, text: string): Scan {
  if (!text.includes('@aws-sdk/client-')) return { calls: [], hidden: [] };
  const program = parse(file, text);
  const calls: AwsCall[] = [];
  const hidden: string[] = [];
  const imported = new Map<string, { readonly client: string; readonly name: string }>();
  for (const [node, around] of walk(program)) {
    const client = clientOf(node['source'] ?? requiredBy(node));
    if (client !== undefined) {
      const names = node.type === 'ImportDeclaration' ? namesOf(node) : undefined;
      if (!names) hidden.push(`${file} takes all of client-${client}`);
      for (const { name, local } of names ?? []) {
        if (hides(client, name)) hidden.push(`${file} imports ${name}, which makes calls by itself`);
        if (/Command$|^paginate/.test(name)) imported.set(local, { client, name });
      }
    }
    if (node.type !== 'Identifier' || around.some(({ type }) => type === 'ImportDeclaration')) continue;
    const used = imported.get(nameOf(node) ?? '');
    const [parent] = around;
    if (!used || !parent || parent.type.startsWith('TSType')) continue;
    if (parent['callee'] !== node) {
      hidden.push(`${file} hands ${used.name} on`);
      continue;
    }
    calls.push(callOf(used, `${file} ${functionAround(around)}`, readsAllPages(parent, around.slice(1))));
  }
  return { calls, hidden };
}

function callOf(
  { client, name }: { readonly client: string; readonly name: string },
  site: string,
  readsAll: boolean,
): AwsCall {
  const isPaged = name.startsWith('paginate');
  const operation = name.replace(/^paginate|Command$/, '');
  const action = `${iamPrefixes[client] ?? client}:${operation}`;
  return { client, action: iamActions[action] ?? action, operation, isPaged, readsAll, site };
}

function clientOf(source: unknown): string | undefined {
  return /^@aws-sdk\/client-([\w-]+)$/.exec(nameOf(source) ?? '')?.[1];
}

function requiredBy({ type, callee, arguments: given }: SyntaxNode): unknown {
  return type === 'CallExpression' && nameOf(callee) === 'require' && Array.isArray(given)
    ? given[0]
    : undefined;
}

/** What an import brings beside types; undefined where that is everything. */
function namesOf({
  importKind,
  specifiers,
}: SyntaxNode): { readonly name: string; readonly local: string }[] | undefined {
  if (importKind === 'type') return [];
  const all = Array.isArray(specifiers) ? specifiers.filter(isNode) : [];
  if (all.some(({ type }) => type !== 'ImportSpecifier')) return undefined;
  return all
    .filter((each) => each['importKind'] !== 'type')
    .map((each) => ({ name: nameOf(each['imported']) ?? '', local: nameOf(each['local']) ?? '' }));
}

/** Waiters, and clients that have a method for each operation: `EC2` beside `EC2Client`. */
function hides(client: string, name: string): boolean {
  const module = (of: string) => join(PACKAGES, `client-${client}`, 'dist-es', `${of}.js`);
  return name.startsWith('waitUntil') || (existsSync(module(name)) && existsSync(module(`${name}Client`)));
}

/** The TypeScript files of the product, without tests and the embedded stack. */
export function productFiles(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('dev/'))
    .map((path) => join(ROOT, 'src', path));
}

/** Operations of a client that answer page by page, as the SDK knows from the service's own model. */
export function pageableOperations(client: string): ReadonlySet<string> {
  const folder = join(PACKAGES, `client-${client}`, 'dist-es', 'pagination');
  return new Set(readdirSync(folder).flatMap((file) => /^(\w+)Paginator\.js$/.exec(file)?.[1] ?? []));
}
