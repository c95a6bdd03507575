import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { UNSHARED_ENDPOINTS } from '../../src/domain/estimate.ts';

it('estimates count as many interface endpoints as the foundation has', () => {
  const template = readFileSync(new URL('../../infra/endpoints.yaml', import.meta.url), 'utf8');
  const [, list = ''] =
    /ForEach::InterfaceEndpoints:\n\s+- Service\n([\s\S]*?)- \$\{Service\}Endpoint/.exec(template) ?? [];
  const services = [...list.matchAll(/- ([a-z0-9]+)$/gm)].map(([, name]) => name);

  expect(services).toContain('cloudformation');
  expect(UNSHARED_ENDPOINTS.interfaceEndpoints).toBe(services.length);
});
