import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { listenOnLoopback } from '../free-port.ts';
import type { Clusters } from './clusters.ts';
import { providerEventSchema } from './event.ts';
import type { ProviderEvent } from './event.ts';
import { ProviderFaults } from './faults.ts';
import { responseBody } from './response.ts';
import type { Outcome } from './response.ts';

/** Work on one cluster: at most one request at a time. */
interface Operation {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/**
 * Plays AWS's ParallelCluster custom-resource provider: takes the events of `Custom::PclusterCluster` over HTTP
 * from the provider's Lambda function, and answers each to its ResponseURL when the work is done.
 */
export class ProviderStandIn {
  readonly logger: Logger;
  /** For tests. */
  readonly faults = new ProviderFaults();
  readonly #server: Server;
  readonly #shutdown = new AbortController();
  readonly #operations = new Map<string, Operation>();
  #clusters: Clusters | undefined;
  #port = 0;

  private constructor(logger: Logger) {
    this.logger = logger;
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  /** Listens on a free port of 127.0.0.1. Events fail until {@link serve} has been called. */
  static async listen(logger: Logger): Promise<ProviderStandIn> {
    const standIn = new ProviderStandIn(logger);
    standIn.#port = await listenOnLoopback(standIn.#server);
    return standIn;
  }

  /** Where the Lambda function posts the events. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** From now on events are carried out on these clusters. */
  serve(clusters: Clusters): void {
    this.#clusters = clusters;
  }

  /** Ends what is under way and stops every cluster. Safe to repeat. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    this.#server.closeAllConnections();
    for (const { abort } of this.#operations.values())
      abort.abort(new Error('the provider is shutting down'));
    await Promise.all([...this.#operations.values()].map(async ({ done }) => done));
    await this.#clusters?.close();
    await closed;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const event = providerEventSchema.safeParse(await parsedJson(request));
    // The function must not wait for the work: that takes longer than a Lambda may run.
    response.writeHead(event.success ? 202 : 400).end(event.error?.message);
    if (event.success) this.#enqueue(event.data);
  }

  /** After whatever is under way for the same cluster; a Delete calls that off. */
  #enqueue(event: ProviderEvent): void {
    const key = event.ResourceProperties.ClusterName ?? event.StackId;
    const previous = this.#operations.get(key);
    if (event.RequestType === 'Delete') previous?.abort.abort(new Error('the cluster is being deleted'));
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#shutdown.signal]);
    const done = this.#answer(event, signal, previous?.done).finally(() => {
      if (this.#operations.get(key)?.done === done) this.#operations.delete(key);
    });
    this.#operations.set(key, { abort, done });
  }

  async #answer(
    event: ProviderEvent,
    signal: AbortSignal,
    previous: Promise<void> | undefined,
  ): Promise<void> {
    await previous;
    const outcome = await this.#outcome(event, signal);
    const { RequestType: requestType, ResourceProperties: properties } = event;
    this.logger.info({ requestType, clusterName: properties.ClusterName, outcome }, 'request carried out');
    try {
      const body = responseBody(event, outcome);
      const response = await fetch(event.ResponseURL, {
        method: 'PUT',
        headers: { 'content-type': '' },
        body,
      });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
    } catch (error) {
      this.logger.error({ err: error, stackId: event.StackId }, 'the answer could not be delivered');
    }
  }

  async #outcome(event: ProviderEvent, signal: AbortSignal): Promise<Outcome> {
    try {
      await this.faults.pass(event.RequestType, signal);
      return await this.#carryOut(event);
    } catch (error) {
      return { ok: false, reason: messageOf(error) };
    }
  }

  async #carryOut(event: ProviderEvent): Promise<Outcome> {
    const clusters = this.#clusters;
    if (clusters === undefined) throw new Error('The provider is still starting');
    const { ClusterName: clusterName, DeletionPolicy, ClusterConfiguration } = event.ResourceProperties;
    if (clusterName === undefined) throw new Error("Couldn't find a ClusterName in the properties.");
    if (!['Retain', 'Delete'].includes(DeletionPolicy)) {
      throw new Error('DeletionPolicy must be one of ["Retain", "Delete"].');
    }
    if (event.RequestType === 'Delete') {
      if (DeletionPolicy === 'Delete') await clusters.delete(clusterName);
      return { ok: true, physicalResourceId: clusterName, data: {} };
    }
    if (event.RequestType === 'Update' && event.PhysicalResourceId !== clusterName) {
      throw new Error('Cannot update the ClusterName in the properties.');
    }
    const request = { clusterName, configuration: ClusterConfiguration ?? {}, outerStackId: event.StackId };
    const data = await (event.RequestType === 'Create' ? clusters.create(request) : clusters.update(request));
    return { ok: true, physicalResourceId: clusterName, data };
  }
}

async function parsedJson(request: IncomingMessage): Promise<unknown> {
  const body = await text(request);
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
