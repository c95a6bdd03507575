import type { SlurmApiTrust } from './slurm-api-spec.ts';

/** slurmrestd's own default port; TLS listens there in its place. */
export const SLURM_API_PORT = 6820;
/** Where `assets/slurm-rest-api.sh` puts the keys whose tokens Slurm accepts. */
const JWKS_FILE = '/etc/parallelcluster-provisioner/jwks.json';
/** Keycloak has the user's name here. Slurm reads it since 23.02; before, it ignores the setting. */
const KEYCLOAK_USER_CLAIM = 'preferred_username';
/**
 * A token for a user that the cluster does not have is valid all the same (seen): without this its holder would see
 * everybody's jobs. Only where others than this service sign tokens, because it also hides the administrator's jobs
 * from the job user. `cloud` is ParallelCluster's own.
 */
const PRIVATE_DATA = 'cloud,jobs,usage,users,accounts,reservations';

/** Lines of slurm.conf for a cluster with Slurm's REST API. */
export function slurmApiSettings(trust: SlurmApiTrust): Readonly<Record<string, string>>[] {
  const others = trust === 'epoch-key-and-keycloak';
  const claim = others ? `,userclaimfield=${KEYCLOAK_USER_CLAIM}` : '';
  return [
    { AuthAltTypes: 'auth/jwt' },
    { AuthAltParameters: `jwks=${JWKS_FILE}${claim}` },
    ...(others ? [{ PrivateData: PRIVATE_DATA }] : []),
  ];
}
