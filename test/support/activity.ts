import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';

/** An activity context of its own, which does not print the failures that tests provoke. */
export function activityContext(
  info: { readonly heartbeatDetails?: unknown; readonly attempt?: number } = {},
): MockActivityEnvironment {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

/** What an activity answers when it runs in a context. */
export async function runActivity<Request, Answer>(
  activity: (request: Request) => Promise<Answer>,
  request: Request,
  context = activityContext(),
): Promise<Answer> {
  return context.run<[Request], Answer, typeof activity>(activity, request);
}
