import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { SearchAttributeType } from '@temporalio/common';
import proto from '@temporalio/proto';
import { searchAttributes } from '../workflows/search-attributes.ts';

const { IndexedValueType } = proto.temporal.api.enums.v1;

/** What is needed of a connection to Temporal. */
interface OperatorConnection {
  readonly operatorService: {
    addSearchAttributes(request: {
      namespace: string;
      searchAttributes: Record<string, proto.temporal.api.enums.v1.IndexedValueType>;
    }): Promise<unknown>;
    listSearchAttributes(request: {
      namespace: string;
    }): Promise<{ readonly customAttributes?: Readonly<Record<string, unknown>> | null }>;
  };
}

const indexedTypes: Readonly<Record<SearchAttributeType, proto.temporal.api.enums.v1.IndexedValueType>> = {
  TEXT: IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
  KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  INT: IndexedValueType.INDEXED_VALUE_TYPE_INT,
  DOUBLE: IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
  BOOL: IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
  DATETIME: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
  KEYWORD_LIST: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
};

/** gRPC's status for an attribute that another worker registered in the same moment. */
const ALREADY_EXISTS = 6;

type Attribute = (typeof searchAttributes)[keyof typeof searchAttributes];

const VISIBLE_WITHIN_MS = 30_000;

/**
 * Registers the product's search attributes in the namespace, before any workflow uses them: an unknown one makes
 * every workflow task fail. Safe to run at every start, by several workers at once. Returns when they are visible.
 */
export async function registerSearchAttributes(
  connection: OperatorConnection,
  namespace: string,
): Promise<void> {
  const missing = await missingAttributes(connection, namespace);
  if (missing.length === 0) return;
  await addSearchAttributes(connection, namespace, missing);
  for (let waitedMs = 0; (await missingAttributes(connection, namespace)).length > 0; waitedMs += 100) {
    if (waitedMs > VISIBLE_WITHIN_MS) throw new Error('The search attributes do not appear in the namespace');
    await sleep(100);
  }
}

/** Adds them, all by default; those that are being added by another worker are fine. */
export async function addSearchAttributes(
  connection: OperatorConnection,
  namespace: string,
  attributes: readonly Attribute[] = Object.values(searchAttributes),
): Promise<void> {
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(attributes.map(({ name, type }) => [name, indexedTypes[type]])),
    });
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code !== ALREADY_EXISTS) throw error;
  }
}

async function missingAttributes(connection: OperatorConnection, namespace: string): Promise<Attribute[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(customAttributes ?? {}, name));
}
