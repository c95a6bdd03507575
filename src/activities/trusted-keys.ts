import type { KeycloakJwksReader } from '../clients/keycloak-jwks.ts';
import type { SlurmControl } from '../clients/slurm-gateway.ts';
import { renderJwks } from '../domain/slurm-jwt.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';

export interface TrustedKeysDeps {
  readonly control: Pick<SlurmControl, 'replaceJwks'>;
  readonly readKeycloakJwks: KeycloakJwksReader;
}

/** The keys whose tokens Slurm accepts. Clusters have no way to Keycloak: its keys are carried to them. */
export function createTrustedKeysActivities({
  control,
  readKeycloakJwks,
}: TrustedKeysDeps): Pick<Activities, 'readKeycloakKeys' | 'replaceTrustedKeys'> {
  return {
    readKeycloakKeys: async () => readKeycloakJwks(),

    async replaceTrustedKeys({ epoch, adminAccess, trusted }) {
      const head = { epoch, access: adminAccess };
      await withHeartbeat(async ({ signal }) => control.replaceJwks(head, renderJwks(trusted), { signal }));
    },
  };
}
