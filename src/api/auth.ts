import bearerAuth from '@fastify/bearer-auth';
import type { Server } from './server.ts';

/**
 * Asks every request for the bearer token, before its body is read, except on routes whose own options say
 * `config: { public: true }`. Paths that do not exist need a token as well: without one, nothing can be learnt about
 * what exists. The plugin compares in constant time. Refusals become problems in the error handler.
 */
export async function requireBearerToken(app: Server, token: string): Promise<void> {
  await app.register(bearerAuth, {
    keys: [token],
    addHook: false,
    // RFC 9110, section 11.1: the name of the scheme is case-insensitive.
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'debug',
  });
  const { verifyBearerAuth } = app;
  if (!verifyBearerAuth) throw new Error('@fastify/bearer-auth did not register itself');
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.public) done();
    else verifyBearerAuth(request, reply, done);
  });
}
