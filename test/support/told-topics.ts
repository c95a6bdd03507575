import { z } from 'zod';

/** What moto's own interface shows of a topic: id, message, subject, attributes. */
const topicsSchema = z.object({
  sns: z.object({
    Topic: z.array(
      z.object({
        arn: z.string(),
        sent_notifications: z.array(
          z.tuple([z.string(), z.string(), z.string(), z.record(z.string(), z.unknown())]).rest(z.unknown()),
        ),
      }),
    ),
  }),
});

export interface ToldMessage {
  readonly subject: string;
  readonly message: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** All that was ever published on a topic of the emulator, in order. */
export async function toldOn(topicArn: string, motoUrl: string): Promise<ToldMessage[]> {
  const response = await fetch(`${motoUrl}/moto-api/data.json`);
  const { sns } = topicsSchema.parse(await response.json());
  // moto also remembers a topic that was deleted.
  const topics = sns.Topic.filter(({ arn }) => arn === topicArn);
  return topics
    .flatMap(({ sent_notifications: sent }) => sent)
    .map(([, message, subject, attributes]) => ({ message, subject, attributes }));
}
