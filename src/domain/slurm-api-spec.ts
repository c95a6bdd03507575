import { z } from 'zod';

/** Whose tokens Slurm's REST API of a cluster accepts, see ADR 13. */
export const slurmApiTrusts = ['epoch-key', 'epoch-key-and-keycloak'] as const;
export type SlurmApiTrust = (typeof slurmApiTrusts)[number];

/** How this service pings Slurm, and submits, observes and cancels jobs. Files and what only operators may do go over SSH. */
export const jobTransports = ['ssh', 'slurmrestd'] as const;
export type JobTransport = (typeof jobTransports)[number];

/** Asks for Slurm's REST API on the head node; a cluster without it has none. */
export const slurmApiSpecSchema = z.strictObject({
  trust: z
    .enum(slurmApiTrusts)
    .default('epoch-key')
    .meta({
      description:
        '`epoch-key`: tokens of the key that the service makes for the deployment. `epoch-key-and-keycloak`: Keycloak’s ' +
        'tokens as well, of whoever may have one for the job user; Slurm checks neither audience nor tenant.',
    }),
  jobsOver: z.enum(jobTransports).default('ssh').meta({
    description:
      'What the service itself sends jobs over. Over `slurmrestd`, jobs that Slurm accepted and lost are not noticed.',
  }),
});

export type SlurmApiSpec = z.output<typeof slurmApiSpecSchema>;
